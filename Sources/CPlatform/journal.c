#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int address_of(const char *path, struct sockaddr_un *address) {
    size_t length = strlen(path);
    if (length >= sizeof address->sun_path) {
        return -ENAMETOOLONG;
    }
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, length + 1);
    return 0;
}

int patchsim_datagram_socket(void) {
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return descriptor < 0 ? -errno : descriptor;
}

int patchsim_send_datagram(int descriptor, const char *path, const void *bytes, size_t count) {
    struct sockaddr_un address;
    int status = address_of(path, &address);
    if (status < 0) {
        return status;
    }
    ssize_t sent = sendto(descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&address,
                          sizeof address);
    return sent < 0 ? -errno : 0;
}

// A file in memory that nobody can change any more.
static int sealed_file(const void *bytes, size_t count) {
    int file = memfd_create("patchsim-journal", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) {
        return -errno;
    }
    int cause = 0;
    for (size_t written = 0; written < count && cause == 0;) {
        ssize_t step = write(file, (const char *)bytes + written, count - written);
        if (step >= 0) {
            written += (size_t)step;
        } else if (errno != EINTR) {
            cause = errno;
        }
    }
    if (cause == 0 && fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0) {
        cause = errno;
    }
    if (cause != 0) {
        close(file);
        return -cause;
    }
    return file;
}

int patchsim_send_sealed(int descriptor, const char *path, const void *bytes, size_t count) {
    struct sockaddr_un address;
    int status = address_of(path, &address);
    if (status < 0) {
        return status;
    }
    int file = sealed_file(bytes, count);
    if (file < 0) {
        return file;
    }
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &file, sizeof file);
    struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = sizeof address,
        .msg_control = &control,
        .msg_controllen = sizeof control.room,
    };
    int cause = sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : 0;
    close(file);
    return -cause;
}
