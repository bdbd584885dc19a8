# patchsim: build, test, install, demo. All of them use one configuration; docs/decisions/0002 says why.
SWIFT ?= swift
SWIFT_FLAGS := -c release -Xswiftc -enable-testing
BINARIES := .build/release
PREFIX ?= /usr/local
DESTDIR ?=
# The demo's kernel: builtin, debian (downloaded with apt), or the path of a vmlinux or vmlinuz.
KERNEL ?= builtin

# Where administrators write. The daemon reads nothing from PREFIX/etc.
SYSCONFDIR ?= /etc

bindir := $(DESTDIR)$(PREFIX)/bin
libdir := $(DESTDIR)$(PREFIX)/lib/patchsim
unitdir := $(DESTDIR)$(PREFIX)/lib/systemd/system
catalogdir := $(DESTDIR)$(PREFIX)/lib/systemd/catalog
sysusersdir := $(DESTDIR)$(PREFIX)/lib/sysusers.d
sharedir := $(DESTDIR)$(PREFIX)/share/patchsim
mandir := $(DESTDIR)$(PREFIX)/share/man
varlinkdir := $(DESTDIR)$(PREFIX)/share/varlink
bashdir := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
zshdir := $(DESTDIR)$(PREFIX)/share/zsh/site-functions
fishdir := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
confdir := $(DESTDIR)$(SYSCONFDIR)/patchsim

programs := patchsimd patchsimctl
units := $(wildcard systemd/*.service systemd/*.socket)
catalogs := $(wildcard systemd/*.catalog)
pages := $(wildcard docs/man/*.[1-8])
interfaces := $(wildcard docs/varlink/*.varlink)
# Files that the administrator owns once they are there.
conffiles := $(wildcard Config/patchsimd.toml)

.PHONY: all build test differential test-systemd lint benchmark-socket demo install uninstall clean system-packages

all: build

system-packages:
	@.ci/system-packages.sh

build: system-packages
	$(SWIFT) build $(SWIFT_FLAGS)

test: system-packages lint
	Tests/fetch-kernels.sh
	Tests/peers/setup.sh
	$(SWIFT) build --build-tests $(SWIFT_FLAGS)
	# One at a time: tests that wait for programs would take the processors from those that they wait for.
	$(SWIFT) test $(SWIFT_FLAGS) --skip-build --no-parallel
	Tests/systemd/run.sh

# The installed files in a real systemd only; needs root.
test-systemd: build
	Tests/fetch-kernels.sh amd64
	Tests/systemd/run.sh

# Ten million executions beside Unicorn, in every cell of mnemonic, operand size and addressing form. SEED=n for others.
SEED ?= 1
differential: build
	Tests/peers/setup.sh
	.build-venv/bin/python Tests/differential/differential.py --program $(BINARIES)/patchsimctl --seed $(SEED)

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests
	for script in .ci/run .ci/*.sh docs/demo/*.sh Tests/*.sh Tests/*/*.sh Benchmarks/*/*.sh Tests/systemd/checks/*.sh; do \
		bash -n "$$script" || exit 1; \
	done

# Calls a second of GetState beside redis; KERNEL as for the demo, ROUNDS and SECONDS_EACH of a measurement.
benchmark-socket: build
	Benchmarks/Socket/run.sh $(BINARIES)/patchsimd $(KERNEL)

demo: build
	docs/demo/demo.sh $(KERNEL)

# The Swift runtime libraries go beside the binaries; docs/decisions/0003 says why. A configuration file that is there is
# left alone; the one of this version is in share/patchsim to compare with.
install: build
	install -d $(bindir) $(libdir) $(unitdir) $(sharedir) $(bashdir) $(zshdir) $(fishdir) $(confdir)/patchsimd.toml.d
	install -m 755 $(programs:%=$(BINARIES)/%) $(bindir)
	ldd $(programs:%=$(BINARIES)/%) | awk '$$3 ~ /\/swift\/linux\// { print $$3 }' | sort -u \
		| xargs -r install -m 644 -t $(libdir)
	set -e; for unit in $(units); do \
		sed 's,/usr/\(bin/patchsim\|lib/patchsim\),$(PREFIX)/\1,g' "$$unit" > "$(unitdir)/$${unit##*/}"; \
		chmod 644 "$(unitdir)/$${unit##*/}"; \
	done
	set -e; for catalog in $(catalogs); do install -D -m 644 -t $(catalogdir) "$$catalog"; done
	install -D -m 644 systemd/patchsim.sysusers $(sysusersdir)/patchsim.conf
	umask 022; cp -r Config/. $(sharedir)
	set -e; for file in $(conffiles); do \
		test -e "$(confdir)/$${file##*/}" || install -m 644 -t $(confdir) "$$file"; \
	done
	set -e; for page in $(pages); do install -D -m 644 -t "$(mandir)/man$${page##*.}" "$$page"; done
	install -D -m 644 -t $(varlinkdir) $(interfaces)
	umask 022; set -e; for program in $(programs); do \
		$(BINARIES)/$$program --generate-completion-script bash > $(bashdir)/$$program; \
		$(BINARIES)/$$program --generate-completion-script zsh > $(zshdir)/_$$program; \
		$(BINARIES)/$$program --generate-completion-script fish > $(fishdir)/$$program.fish; \
	done

# Configuration and state stay: they are the administrator's.
uninstall:
	rm -f $(programs:%=$(bindir)/%)
	rm -f $(patsubst systemd/%,$(unitdir)/%,$(units)) $(patsubst systemd/%,$(catalogdir)/%,$(catalogs))
	rm -f $(sysusersdir)/patchsim.conf
	for page in $(pages); do rm -f "$(mandir)/man$${page##*.}/$${page##*/}"; done
	rm -f $(patsubst docs/varlink/%,$(varlinkdir)/%,$(interfaces))
	rm -f $(programs:%=$(bashdir)/%) $(programs:%=$(zshdir)/_%) $(programs:%=$(fishdir)/%.fish)
	rm -rf $(libdir) $(sharedir)

clean:
	$(SWIFT) package clean
	rm -rf .build .build-kernels .build-venv
