// What the Glibc module does not import, and what must happen between fork and exec.
#ifndef PATCHSIM_CPLATFORM_H
#define PATCHSIM_CPLATFORM_H

#include <stddef.h>
#include <stdint.h>
// epoll and eventfd: no other module has them, so they come into Swift with this one.
#include <sys/epoll.h>
#include <sys/eventfd.h>

/// Accepts a connection with CLOEXEC and NONBLOCK set. Returns the descriptor, or -errno.
int patchsim_accept(int listening_descriptor);

/// Peer credentials of a Unix socket. Returns 0, or -errno.
int patchsim_peer_credentials(int descriptor, int32_t *pid, uint32_t *uid, uint32_t *gid);

/// Supplementary groups of a Unix socket's peer, as they were when it connected. Writes at most `count_max` of them and
/// returns how many there are, or -errno.
int patchsim_peer_groups(int descriptor, uint32_t *groups, int count_max);

/// Starts a program that is socket-activated: `listening_descriptor` becomes its descriptor 3, LISTEN_FDS is 1 and
/// LISTEN_PID its own process id, which is why posix_spawn() does not do. It gets SIGTERM when the calling thread ends.
/// `environment` must hold an entry that starts with "LISTEN_PID=" and has room for ten digits after it.
/// Returns the process id, or -errno, also of a failing exec.
int patchsim_spawn_activated(const char *path, char *const arguments[], char *const environment[],
                             int listening_descriptor);

/// A Unix datagram socket with CLOEXEC set, or -errno.
int patchsim_datagram_socket(void);

/// Sends a datagram to the socket at `path` without waiting. Returns 0, or -errno: ENOENT and ECONNREFUSED where nobody
/// receives, EAGAIN where the receiver's queue is full, EMSGSIZE where the datagram is too large for one.
int patchsim_send_datagram(int descriptor, const char *path, const void *bytes, size_t count);

/// The same for what is too large: a sealed file in memory is sent in its place, as journald takes it.
int patchsim_send_sealed(int descriptor, const char *path, const void *bytes, size_t count);

#endif
