// Loads a server on a Unix socket with many connections, each with a fixed number of calls in flight, and prints one line:
// calls a second and percentiles of the latency. One program for both servers, so that neither has the better client.
//
//     socketload varlink|resp SOCKET CONNECTIONS IN-FLIGHT SECONDS [VALUE-BYTES]
//
// varlink calls io.patchsim.Machine.GetState; resp sets a key to VALUE-BYTES bytes and gets it. Every reply is cut from the
// stream by the protocol's own rule and its beginning is compared; of one reply in SAMPLE the simulated time is read: it
// must never go back on a connection, and the line ends with how many different times were seen.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { INPUT_BYTES = 256 * 1024, IN_FLIGHT_MAX = 256, CONNECTIONS_MAX = 1024, EVENTS = 256, SAMPLE = 64 };
// Latencies in buckets of 1/16 of a power of two of nanoseconds.
enum { BUCKETS = 64 * 16 };

static const char varlink_call[] = "{\"method\":\"io.patchsim.Machine.GetState\"}";
static const char varlink_start[] = "{\"parameters\":{\"state\":{";
static const char resp_call[] = "*2\r\n$3\r\nGET\r\n$5\r\nstate\r\n";

struct connection {
    int descriptor;
    size_t length;
    uint64_t sent[IN_FLIGHT_MAX];
    unsigned oldest;
    unsigned waiting;
    uint64_t simulated;
    char input[INPUT_BYTES];
};

static int is_varlink;
static const char *call;
static size_t call_length;
static unsigned in_flight;
static uint64_t histogram[BUCKETS];
static uint64_t replies, reply_bytes, different_times, sampled;

static void fail(const char *what) {
    fprintf(stderr, "socketload: %s: %s\n", what, errno ? strerror(errno) : "not as expected");
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static unsigned bucket(uint64_t nanoseconds) {
    if (nanoseconds < 16) {
        return (unsigned)nanoseconds;
    }
    unsigned log = 63 - (unsigned)__builtin_clzll(nanoseconds);
    return log * 16 + (unsigned)((nanoseconds >> (log - 4)) & 15);
}

static double bucket_microseconds(unsigned index) {
    unsigned log = index / 16;
    return log < 4 ? index / 1e3 : (double)(16 + index % 16) * (double)(1ull << (log - 4)) / 1e3;
}

static double percentile(double share) {
    uint64_t sum = 0;
    for (unsigned index = 0; index < BUCKETS; index++) {
        sum += histogram[index];
        if ((double)sum >= share * (double)replies) {
            return bucket_microseconds(index);
        }
    }
    return 0;
}

static int connected(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fail("the socket's path is too long");
    }
    strcpy(address.sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) < 0) {
        fail(path);
    }
    return descriptor;
}

static void send_all(int descriptor, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(descriptor, bytes, count, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EINTR) {
                continue;
            }
            fail("send");
        }
        bytes += sent;
        count -= (size_t)sent;
    }
}

static void send_calls(struct connection *connection, unsigned count) {
    static char calls[IN_FLIGHT_MAX * 128];
    for (unsigned index = 0; index < count; index++) {
        memcpy(calls + index * call_length, call, call_length);
    }
    uint64_t time = now();
    for (unsigned index = 0; index < count; index++) {
        connection->sent[(connection->oldest + connection->waiting + index) % in_flight] = time;
    }
    connection->waiting += count;
    send_all(connection->descriptor, calls, count * call_length);
}

// The length of the reply at the start of `bytes` with its ending, or 0 if it has not come whole.
static size_t reply_length(const char *bytes, size_t count) {
    if (is_varlink) {
        const char *end = memchr(bytes, 0, count);
        return end ? (size_t)(end - bytes) + 1 : 0;
    }
    const char *line = memchr(bytes, '\n', count);
    if (!line) {
        return 0;
    }
    if (bytes[0] != '$') {
        errno = 0;
        fail(bytes);
    }
    size_t whole = (size_t)(line + 1 - bytes) + (size_t)strtoul(bytes + 1, 0, 10) + 2;
    return whole <= count ? whole : 0;
}

static void check(struct connection *connection, const char *reply, size_t length) {
    if (!is_varlink) {
        return;
    }
    errno = 0;
    if (length < sizeof varlink_start || memcmp(reply, varlink_start, sizeof varlink_start - 1) != 0) {
        fail(reply);
    }
    if (replies % SAMPLE != 0) {
        return;
    }
    const char *member = strstr(reply, "\"nanoseconds\":");
    uint64_t simulated = member ? strtoull(member + 14, 0, 10) : 0;
    if (simulated < connection->simulated || simulated == 0) {
        fail("simulated time");
    }
    different_times += simulated != connection->simulated;
    connection->simulated = simulated;
    sampled++;
}

// Takes what has come and asks again for as many calls as were answered.
static void readable(struct connection *connection) {
    ssize_t count = recv(connection->descriptor, connection->input + connection->length,
                         INPUT_BYTES - connection->length, MSG_DONTWAIT);
    if (count <= 0) {
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        fail("recv");
    }
    connection->length += (size_t)count;
    uint64_t time = now();
    size_t start = 0;
    unsigned answered = 0;
    for (size_t length; (length = reply_length(connection->input + start, connection->length - start)) > 0;) {
        check(connection, connection->input + start, length);
        histogram[bucket(time - connection->sent[connection->oldest])]++;
        connection->oldest = (connection->oldest + 1) % in_flight;
        connection->waiting--;
        replies++;
        answered++;
        reply_bytes += length;
        start += length;
    }
    memmove(connection->input, connection->input + start, connection->length - start);
    connection->length -= start;
    if (answered > 0) {
        send_calls(connection, answered);
    }
}

static void set_value(const char *path, size_t count) {
    int descriptor = connected(path);
    char head[64];
    char *value = malloc(count + 2);
    memset(value, 'x', count);
    memcpy(value + count, "\r\n", 2);
    int length = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$5\r\nstate\r\n$%zu\r\n", count);
    send_all(descriptor, head, (size_t)length);
    send_all(descriptor, value, count + 2);
    char reply[5];
    size_t got = 0;
    while (got < sizeof reply) {
        ssize_t received = recv(descriptor, reply + got, sizeof reply - got, 0);
        if (received <= 0) {
            fail("SET");
        }
        got += (size_t)received;
    }
    if (memcmp(reply, "+OK\r\n", 5) != 0) {
        fail("SET");
    }
    free(value);
    close(descriptor);
}

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: socketload varlink|resp SOCKET CONNECTIONS IN-FLIGHT SECONDS [VALUE-BYTES]\n");
        return 64;
    }
    is_varlink = strcmp(argv[1], "varlink") == 0;
    call = is_varlink ? varlink_call : resp_call;
    // A Varlink call ends with the NUL of the string.
    call_length = is_varlink ? sizeof varlink_call : sizeof resp_call - 1;
    unsigned connections = (unsigned)atoi(argv[3]);
    in_flight = (unsigned)atoi(argv[4]);
    double seconds = atof(argv[5]);
    errno = 0;
    if (connections < 1 || connections > CONNECTIONS_MAX || in_flight < 1 || in_flight > IN_FLIGHT_MAX) {
        fail("connections or calls in flight");
    }
    if (!is_varlink) {
        set_value(argv[2], argc > 6 ? (size_t)atoi(argv[6]) : 700);
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct connection *all = calloc(connections, sizeof *all);
    for (unsigned index = 0; index < connections; index++) {
        all[index].descriptor = connected(argv[2]);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[index]};
        epoll_ctl(epoll, EPOLL_CTL_ADD, all[index].descriptor, &event);
    }
    uint64_t start = now(), end = start + (uint64_t)(seconds * 1e9);
    for (unsigned index = 0; index < connections; index++) {
        send_calls(&all[index], in_flight);
    }
    while (now() < end) {
        struct epoll_event events[EVENTS];
        int count = epoll_wait(epoll, events, EVENTS, 1000);
        if (count < 0 && errno != EINTR) {
            fail("epoll_wait");
        }
        for (int index = 0; index < count; index++) {
            readable(events[index].data.ptr);
        }
    }
    double elapsed = (double)(now() - start) / 1e9;
    if (replies == 0) {
        errno = 0;
        fail("no replies");
    }
    printf("%.0f calls/s, latency p50 %.1f us, p99 %.1f us, p99.9 %.1f us, %.0f bytes a reply", (double)replies / elapsed,
           percentile(0.5), percentile(0.99), percentile(0.999), (double)reply_bytes / (double)replies);
    if (is_varlink) {
        printf(", %llu of %llu sampled states new", (unsigned long long)different_times, (unsigned long long)sampled);
    }
    printf("\n");
    return 0;
}
