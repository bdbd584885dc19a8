# shellcheck shell=bash
# Units and files as they were installed.
systemctl stop patchsimd.socket "$unit" 2>/dev/null
check "sysusers makes the user and the group patchsim" bash -c '
    systemd-sysusers && id patchsim && getent group patchsim && [ "$(id -u patchsim)" -lt 1000 ]'
systemctl daemon-reload
check "the journal's catalog is updated" journalctl --update-catalog
check "systemd-analyze verify has nothing to say about the units" is \
    "$(systemd-analyze verify --man=no /usr/lib/systemd/system/patchsimd.{service,socket} 2>&1)" ""
check "systemd-analyze security gives the service 0.4 at most" systemd-analyze security --no-pager --threshold=4 "$unit"
check "every page that the units name is installed" bash -c '
    for page in $(systemctl show --property Documentation --value patchsimd.service patchsimd.socket | tr -d \" | sed "s/man://g"); do
        name=${page%(*} section=${page#*(}
        test -s "/usr/share/man/man${section%)}/$name.${section%)}" || { echo "$page"; exit 1; }
    done'
systemctl enable "$unit" 2>/dev/null
check "enabling the service enables its socket" test -L /etc/systemd/system/sockets.target.wants/patchsimd.socket \
    -a -L /etc/systemd/system/multi-user.target.wants/patchsimd.service
systemctl disable "$unit" 2>/dev/null
check "disabling it leaves no link" is "$(ls /etc/systemd/system/*/patchsimd* 2>/dev/null)" ""
check "the programs use the Swift runtime that was installed beside them" bash -c '
    for program in patchsimd patchsimctl; do
        ldd /usr/bin/$program
        ! ldd /usr/bin/$program | grep -E "not found|libswift" | grep -v "/usr/bin/../lib/patchsim/" || exit 1
    done'
for shell in bash zsh fish; do
    case $shell in
    bash) file=/usr/share/bash-completion/completions/patchsimctl ;;
    zsh) file=/usr/share/zsh/site-functions/_patchsimctl ;;
    fish) file=/usr/share/fish/vendor_completions.d/patchsimctl.fish ;;
    esac
    check "completions for $shell know the client's commands" grep -qw ftrace "$file"
done
check "bash reads its completions" bash -n /usr/share/bash-completion/completions/patchsimctl
