// What the Glibc module does not import: accept4 and SO_PEERCRED.
#ifndef PATCHSIM_CPLATFORM_H
#define PATCHSIM_CPLATFORM_H

#include <stdint.h>

/// Accepts a connection with CLOEXEC and NONBLOCK set. Returns the descriptor, or -errno.
int patchsim_accept(int listening_descriptor);

/// Peer credentials of a Unix socket. Returns 0, or -errno.
int patchsim_peer_credentials(int descriptor, int32_t *pid, uint32_t *uid, uint32_t *gid);

#endif
