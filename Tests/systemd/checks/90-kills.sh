# shellcheck shell=bash
# The daemon dies a hundred times while it works.
fresh
override <<'EOF'
[Unit]
StartLimitIntervalSec=0
[Service]
RestartSec=0
EOF
started
check "after 100 SIGKILLs at random moments nothing that was acknowledged is lost" python3 kills.py 100
sed 's/^/# /' "$scratch/output"
check "systemd has counted them" test "$(property NRestarts)" -ge 100
fresh
