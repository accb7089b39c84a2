/*
 * backend.c: an app server that costs next to nothing: one answer to every GET, on connections that
 * stay open. One thread and epoll; so small that a bench measures the proxy before it.
 *
 * Usage: backend <address> <port> <bytes of body>; writes "ready" when it listens.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENTS 256
#define CONNECTIONS 4096 /* highest descriptor */
#define LARGEST_BODY (1 << 20)

/* How much of "\r\n\r\n" the connection's bytes end with: all that one has to know of a request. */
static unsigned char matched[CONNECTIONS];
static char *answer;
static size_t answer_size;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void make_answer(size_t body)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nServer: Microsoft-IIS/10.0\r\n"
                               "Content-Type: text/html; charset=utf-8\r\n"
                               "Cache-Control: no-cache\r\nContent-Length: %zu\r\n\r\n";
    int size;

    answer = malloc(sizeof head + 20 + body);
    if (!answer) {
        die("malloc");
    }
    size = sprintf(answer, head, body);
    memset(answer + size, 'x', body);
    answer_size = (size_t)size + body;
}

/* Returns 0 when the connection is over. */
static int send_answer(int fd)
{
    size_t sent = 0;

    while (sent < answer_size) {
        ssize_t n = send(fd, answer + sent, answer_size - sent, MSG_NOSIGNAL);

        if (n <= 0) {
            return 0;
        }
        sent += (size_t)n;
    }
    return 1;
}

/* Reads what is there and answers each request that is complete; 0 when the connection is over. */
static int serve(int fd)
{
    static const char end[] = "\r\n\r\n";
    char buffer[16384];
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);

    if (n <= 0) {
        return 0;
    }
    for (ssize_t i = 0; i < n; i++) {
        unsigned char *m = &matched[fd];

        *m = buffer[i] == end[*m] ? *m + 1 : buffer[i] == '\r';
        if (*m == 4) {
            *m = 0;
            if (!send_answer(fd)) {
                return 0;
            }
        }
    }
    return 1;
}

static int listen_at(const char *address, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1) {
        die(address);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) {
        die("listen");
    }
    return fd;
}

static void watch(int poll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event)) {
        die("epoll_ctl");
    }
}

static void take(int poll, int listener)
{
    int on = 1;
    int fd = accept(listener, NULL, NULL);

    if (fd < 0) {
        return;
    }
    if (fd >= CONNECTIONS) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    matched[fd] = 0;
    watch(poll, fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    long body = argc == 4 ? atol(argv[3]) : -1;
    int listener, poll;

    if (body < 0 || body > LARGEST_BODY) {
        fprintf(stderr, "usage: backend <address> <port> <bytes of body>\n");
        return 2;
    }
    make_answer((size_t)body);
    listener = listen_at(argv[1], atoi(argv[2]));
    poll = epoll_create1(EPOLL_CLOEXEC);
    if (poll < 0) {
        die("epoll_create1");
    }
    watch(poll, listener);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(poll, events, EVENTS, -1);

        if (n < 0 && errno != EINTR) {
            die("epoll_wait");
        }
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == listener) {
                take(poll, listener);
            }
            else if (!serve(fd)) {
                close(fd);
            }
        }
    }
}
