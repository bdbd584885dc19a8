# patchsim: build, test, install, demo. All of them use one configuration; docs/decisions/0002 says why.
SWIFT ?= swift
SWIFT_FLAGS := -c release -Xswiftc -enable-testing
BINARIES := .build/release
PREFIX ?= /usr/local
DESTDIR ?=
# The demo's kernel: builtin, debian (downloaded with apt), or the path of a vmlinux or vmlinuz.
KERNEL ?= builtin

bindir := $(DESTDIR)$(PREFIX)/bin
libdir := $(DESTDIR)$(PREFIX)/lib/patchsim
unitdir := $(DESTDIR)$(PREFIX)/lib/systemd/system
sharedir := $(DESTDIR)$(PREFIX)/share/patchsim
mandir := $(DESTDIR)$(PREFIX)/share/man
varlinkdir := $(DESTDIR)$(PREFIX)/share/varlink

.PHONY: all build test lint demo install uninstall clean system-packages

all: build

system-packages:
	@.ci/system-packages.sh

build: system-packages
	$(SWIFT) build $(SWIFT_FLAGS)

test: system-packages lint
	Tests/fetch-kernels.sh
	Tests/peers/setup.sh
	$(SWIFT) build --build-tests $(SWIFT_FLAGS)
	$(SWIFT) test $(SWIFT_FLAGS) --skip-build

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests
	bash -n .ci/run .ci/system-packages.sh docs/demo/demo.sh Tests/fetch-kernels.sh Tests/peers/setup.sh Tests/embed.sh

demo: build
	docs/demo/demo.sh $(KERNEL)

# The Swift runtime libraries go beside the binaries; docs/decisions/0003 says why.
install: build
	install -d $(bindir) $(libdir) $(unitdir) $(sharedir)
	install -m 755 $(BINARIES)/patchsimd $(BINARIES)/patchsimctl $(bindir)
	ldd $(BINARIES)/patchsimd $(BINARIES)/patchsimctl | awk '$$3 ~ /\/swift\/linux\// { print $$3 }' | sort -u \
		| xargs -r install -m 644 -t $(libdir)
	for unit in systemd/*; do \
		sed 's|/usr/bin/|$(PREFIX)/bin/|' "$$unit" > "$(unitdir)/$${unit##*/}" || exit 1; \
	done
	cp -r Config/. $(sharedir)
	for page in docs/man/*; do install -D -m 644 "$$page" "$(mandir)/man$${page##*.}/$${page##*/}" || exit 1; done
	install -D -m 644 -t $(varlinkdir) docs/varlink/*.varlink

uninstall:
	rm -f $(bindir)/patchsimd $(bindir)/patchsimctl
	for unit in systemd/*; do rm -f "$(unitdir)/$${unit##*/}"; done
	for page in docs/man/*; do rm -f "$(mandir)/man$${page##*.}/$${page##*/}"; done
	for interface in docs/varlink/*; do rm -f "$(varlinkdir)/$${interface##*/}"; done
	rm -rf $(libdir) $(sharedir)

clean:
	$(SWIFT) package clean
	rm -rf .build .build-kernels .build-venv
