// SPDX-License-Identifier: Apache-2.0
// Backend of the measurements: one thread, epoll, HTTP/1.1 keep-alive, answers everything with 200.
// Usage: backend PORT NAME [PORT NAME ...]   (each port answers "X-Backend: NAME")
// /1m gives 1 MiB, /big gives 256 MiB, anything else 1 KiB. A connection that starts with a TLS ClientHello gets
// a fixed 2 KiB "server flight" and then talks plain HTTP, so that TLS passthrough can be measured without crypto.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_SIZE = 64 * 1024, BODY_SIZE = 1 << 20, FLIGHT_SIZE = 2048 };
enum kind { LISTENER, STREAM };
enum body { NONE, LENGTH, CHUNKED };

struct conn {
  enum kind kind;
  int fd;
  char name;
  int greeted;  // first bytes seen
  int closing;  // close after the response
  int want_out;
  enum body body;
  size_t body_left;  // request body still to skip
  size_t used;       // bytes in `in`
  char head[256];    // response head (or TLS flight marker)
  size_t head_len, head_off, out_left;
  char in[IN_SIZE];
};

static char payload[BODY_SIZE], flight[FLIGHT_SIZE];
static int ep;

static void die(const char *what) { perror(what); exit(1); }

static void watch(struct conn *c, uint32_t events, int op) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  if (epoll_ctl(ep, op, c->fd, &e)) die("epoll_ctl");
}

static void drop(struct conn *c) { close(c->fd); free(c); }

// Returns 1 when everything was written, 0 when the socket is full, -1 on error.
static int flush_out(struct conn *c) {
  while (c->head_off < c->head_len || c->out_left) {
    struct iovec v[2];
    int n = 0;
    if (c->head_off < c->head_len)
      v[n++] = (struct iovec){c->head + c->head_off, c->head_len - c->head_off};
    if (c->out_left)
      v[n++] = (struct iovec){payload, c->out_left < BODY_SIZE ? c->out_left : BODY_SIZE};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = n};
    ssize_t w = sendmsg(c->fd, &m, MSG_NOSIGNAL);
    if (w < 0) return errno == EAGAIN ? 0 : -1;
    size_t h = c->head_len - c->head_off;
    if ((size_t)w < h) { c->head_off += w; continue; }
    c->head_off = c->head_len;
    c->out_left -= w - h;
  }
  return 1;
}

static char *header(char *from, char *end, const char *name) {
  size_t n = strlen(name);
  for (char *p = from; p + n < end; p++)
    if (p[-1] == '\n' && !strncasecmp(p, name, n)) return p + n;
  return NULL;
}

static void answer(struct conn *c, char *req, char *end) {
  size_t size = 1024;
  char *path = memchr(req, ' ', end - req);
  if (path && !strncmp(path, " /1m", 4)) size = BODY_SIZE;
  if (path && !strncmp(path, " /big", 5)) size = 256u << 20;
  char *conn_header = header(req + 1, end, "connection:");
  int http10 = memmem(req, end - req, " HTTP/1.0", 9) != NULL;
  c->closing = conn_header ? strncasecmp(conn_header + strspn(conn_header, " "), "close", 5) == 0 : http10;
  c->head_len = snprintf(c->head, sizeof c->head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nX-Backend: %c\r\n%s\r\n",
                         size, c->name, c->closing ? "Connection: close\r\n" : "");
  c->head_off = 0;
  c->out_left = strncmp(req, "HEAD ", 5) ? size : 0;
  char *te = header(req + 1, end, "transfer-encoding:"), *cl = header(req + 1, end, "content-length:");
  c->body = te ? CHUNKED : cl ? LENGTH : NONE;
  c->body_left = cl && !te ? strtoul(cl, NULL, 10) : 0;
  if (c->body != NONE && header(req + 1, end, "expect:")) send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
}

static void eat(struct conn *c, size_t n) {
  memmove(c->in, c->in + n, c->used - n);
  c->used -= n;
}

// Skips the request body; returns 1 when it is complete.
static int skip_body(struct conn *c) {
  if (c->body == LENGTH) {
    size_t n = c->body_left < c->used ? c->body_left : c->used;
    eat(c, n);
    c->body_left -= n;
    return c->body_left == 0;
  }
  while (c->body == CHUNKED) {
    char *nl = memchr(c->in, '\n', c->used);
    if (!nl) return 0;
    size_t line = nl - c->in + 1, size = strtoul(c->in, NULL, 16);
    if (c->used < line + size + 2) return 0;
    eat(c, line + size + 2);  // trailers are not expected here
    if (!size) return 1;
  }
  return 1;
}

// Serves what has arrived; returns -1 when the connection must be dropped.
static int serve(struct conn *c) {
  for (;;) {
    if (c->body != NONE && !skip_body(c)) return 0;
    c->body = NONE;
    int done = flush_out(c);
    if (done < 0) return -1;
    if (c->want_out == (done == 1)) {
      c->want_out = !done;
      watch(c, done ? EPOLLIN : EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    if (!done) return 0;
    if (c->closing) return -1;
    c->head_len = c->head_off = 0;
    if (!c->used) return 0;
    if (!c->greeted && c->in[0] == 0x16) {
      if (c->used < 5) return 0;
      size_t n = 5 + ((unsigned char)c->in[3] << 8 | (unsigned char)c->in[4]);
      if (c->used < n) return 0;
      eat(c, n);
      c->greeted = 1;
      if (send(c->fd, flight, sizeof flight, MSG_NOSIGNAL) != sizeof flight) return -1;
      continue;
    }
    c->greeted = 1;
    char *end = memmem(c->in, c->used, "\r\n\r\n", 4);
    size_t n = end ? (size_t)(end - c->in) + 4 : 0;
    if (!end && (end = memmem(c->in, c->used, "\n\n", 2))) n = end - c->in + 2;
    if (!end) return c->used == IN_SIZE ? -1 : 0;
    answer(c, c->in, end + 1);
    eat(c, n);
  }
}

static void readable(struct conn *c) {
  for (;;) {
    if (c->used == IN_SIZE) break;
    ssize_t r = recv(c->fd, c->in + c->used, IN_SIZE - c->used, 0);
    if (r < 0 && errno == EAGAIN) break;
    if (r <= 0) return drop(c);
    c->used += r;
    if (r < 4096) break;
  }
  if (serve(c) < 0) drop(c);
}

static struct conn *add(enum kind kind, int fd, char name) {
  struct conn *c = malloc(sizeof *c);
  memset(c, 0, offsetof(struct conn, in));
  c->kind = kind, c->fd = fd, c->name = name;
  watch(c, EPOLLIN, EPOLL_CTL_ADD);
  return c;
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (void *)&a, sizeof a) || listen(fd, 16384)) die("bind");
  return fd;
}

int main(int argc, char **argv) {
  memset(payload, 'x', sizeof payload);
  memcpy(flight, "\x16\x03\x03\x07\xfb", 5);
  ep = epoll_create1(0);
  for (int i = 1; i + 1 < argc; i += 2) add(LISTENER, listen_on(atoi(argv[i])), argv[i + 1][0]);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct epoll_event e[256];
    int n = epoll_wait(ep, e, 256, -1);
    for (int i = 0; i < n; i++) {
      struct conn *c = e[i].data.ptr;
      if (c->kind == LISTENER) {
        int fd, one = 1;
        while ((fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
          setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          add(STREAM, fd, c->name);
        }
      } else if (e[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        readable(c);
      } else if (serve(c) < 0) {
        drop(c);
      }
    }
  }
}
