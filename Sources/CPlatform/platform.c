#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

int patchsim_accept(int listening_descriptor) {
    int descriptor = accept4(listening_descriptor, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

int patchsim_peer_credentials(int descriptor, int32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0) {
        return -errno;
    }
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

int patchsim_peer_groups(int descriptor, uint32_t *groups, int count_max) {
    _Static_assert(sizeof(gid_t) == sizeof(uint32_t), "gid_t is what the kernel writes");
    socklen_t length = (socklen_t)count_max * sizeof(gid_t);
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0 && errno != ERANGE) {
        return -errno;
    }
    return (int)(length / sizeof(gid_t));
}

// Only async-signal-safe calls: the parent may have threads.
static void become_activated(const char *path, char *const arguments[], char *const environment[], int listening,
                             int report, pid_t parent) {
    static const char name[] = "LISTEN_PID=";
    sigset_t none;
    sigemptyset(&none);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || sigprocmask(SIG_SETMASK, &none, 0) < 0) {
        goto failed;
    }
    // The parent may have died before prctl().
    if (getppid() != parent) {
        _exit(127);
    }
    // Out of the way of descriptor 3, and closed by exec.
    report = fcntl(report, F_DUPFD_CLOEXEC, 10);
    if (report < 0) {
        _exit(127);
    }
    if (listening == 3) {
        if (fcntl(3, F_SETFD, 0) < 0) {
            goto failed;
        }
    } else if (dup2(listening, 3) < 0) {
        goto failed;
    }
    for (char *const *entry = environment; *entry; entry++) {
        if (strncmp(*entry, name, sizeof name - 1) == 0) {
            char digits[16];
            int count = 0;
            for (pid_t rest = getpid(); rest > 0; rest /= 10) {
                digits[count++] = (char)('0' + rest % 10);
            }
            char *out = *entry + sizeof name - 1;
            while (count > 0) {
                *out++ = digits[--count];
            }
            *out = 0;
        }
    }
    execve(path, arguments, environment);
failed:;
    int cause = errno;
    (void)!write(report, &cause, sizeof cause);
    _exit(127);
}

int patchsim_spawn_activated(const char *path, char *const arguments[], char *const environment[],
                             int listening_descriptor) {
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) < 0) {
        return -errno;
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (child < 0) {
        int cause = errno;
        close(pipes[0]);
        close(pipes[1]);
        return -cause;
    }
    if (child == 0) {
        become_activated(path, arguments, environment, listening_descriptor, pipes[1], parent);
    }
    close(pipes[1]);
    int cause = 0;
    ssize_t count;
    do {
        count = read(pipes[0], &cause, sizeof cause);
    } while (count < 0 && errno == EINTR);
    close(pipes[0]);
    if (count == (ssize_t)sizeof cause) {
        waitpid(child, 0, 0);
        return -cause;
    }
    return child;
}
