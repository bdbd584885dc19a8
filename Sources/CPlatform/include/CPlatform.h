// What the Glibc module does not import, and what must happen between fork and exec.
#ifndef PATCHSIM_CPLATFORM_H
#define PATCHSIM_CPLATFORM_H

#include <stdint.h>

/// Accepts a connection with CLOEXEC and NONBLOCK set. Returns the descriptor, or -errno.
int patchsim_accept(int listening_descriptor);

/// Peer credentials of a Unix socket. Returns 0, or -errno.
int patchsim_peer_credentials(int descriptor, int32_t *pid, uint32_t *uid, uint32_t *gid);

/// Starts a program that is socket-activated: `listening_descriptor` becomes its descriptor 3, LISTEN_FDS is 1 and
/// LISTEN_PID its own process id, which is why posix_spawn() does not do. It gets SIGTERM when the calling thread ends.
/// `environment` must hold an entry that starts with "LISTEN_PID=" and has room for ten digits after it.
/// Returns the process id, or -errno, also of a failing exec.
int patchsim_spawn_activated(const char *path, char *const arguments[], char *const environment[],
                             int listening_descriptor);

#endif
