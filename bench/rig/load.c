// SPDX-License-Identifier: Apache-2.0
// Load for connections that no common generator makes: one thread, epoll. Prints one JSON line.
// Usage: load MODE IP PORT SNI CONNECTIONS SECONDS [PATH]
//   tls    new TLS 1.3 connection per request, full handshake       resume  the same, resumed by ticket
//   hello  new connection per request: a real ClientHello, then plain HTTP (see backend.c); measures passthrough
//   bulk   the same hello once per connection, then PATH again and again
//   idle   opens CONNECTIONS keep-alive TLS connections (one request each), prints, holds them until stdin closes, tells how many live
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum mode { TLS, RESUME, HELLO, BULK, IDLE, MODES };
enum state { CONNECTING, HANDSHAKE, FLIGHT, RESPONSE, HELD };
enum { FLIGHT_SIZE = 2048, MAX_SAMPLES = 4000000 };

struct conn {
  enum state state;
  int fd, want_out;
  SSL *ssl;
  long need;  // bytes still expected; -1 while the response head is incomplete
  int head_used;
  char head[4096];
  double began;
};

static const char *names[] = {"tls", "resume", "hello", "bulk", "idle"};
static enum mode mode;
static struct sockaddr_in to;
static const char *sni;
static int ep, stopping, opened;
static SSL_CTX *ctx;
static SSL_SESSION *session;
static unsigned char hello[8192];
static int hello_len, request_len;
static char request[512];
static long done, errors, resumed, bytes;
static char backend = '?';  // who answered last
static float *samples;
static long n_samples;

static void die(const char *what) { perror(what); exit(1); }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void sample(double began) {
  if (n_samples < MAX_SAMPLES) samples[n_samples++] = (now() - began) * 1e6;
}

static int keep_session(SSL *ssl, SSL_SESSION *s) {
  (void)ssl;
  if (session) SSL_SESSION_free(session);
  session = s;
  return 1;
}

static void watch(struct conn *c, uint32_t events, int op) {
  struct epoll_event e = {.events = events, .data.ptr = c};
  if (epoll_ctl(ep, op, c->fd, &e)) die("epoll_ctl");
}

static void begin(struct conn *c) {
  int one = 1;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) die("socket");
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  c->state = CONNECTING;
  c->want_out = 1;
  c->began = now();
  if (connect(c->fd, (void *)&to, sizeof to) && errno != EINPROGRESS) die("connect");
  watch(c, EPOLLOUT, EPOLL_CTL_ADD);
  if (mode != HELLO && mode != BULK) {
    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_tlsext_host_name(c->ssl, sni);
    SSL_set_connect_state(c->ssl);
    if (mode == RESUME && session) SSL_set_session(c->ssl, session);
  }
}

static void end(struct conn *c) {
  if (c->ssl) SSL_set_quiet_shutdown(c->ssl, 1), SSL_shutdown(c->ssl), SSL_free(c->ssl), c->ssl = NULL;
  close(c->fd);
  c->fd = -1;
}

static void restart(struct conn *c) {
  end(c);
  if (!stopping) begin(c);
}

static void fail(struct conn *c) {
  errors++;
  if (c->state == CONNECTING) usleep(1000);
  restart(c);
}

static int put(struct conn *c, const void *p, int n) {
  return c->ssl ? SSL_write(c->ssl, p, n) == n : send(c->fd, p, n, MSG_NOSIGNAL) == n;
}

static int get(struct conn *c, void *p, int n) {
  if (!c->ssl) {
    int r = recv(c->fd, p, n, 0);
    return r < 0 && errno == EAGAIN ? 0 : r > 0 ? r : -1;
  }
  int r = SSL_read(c->ssl, p, n);
  return r > 0 ? r : SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ ? 0 : -1;
}

static int ask(struct conn *c) {
  c->state = RESPONSE;
  c->need = -1;
  c->head_used = 0;
  if (mode == BULK) c->began = now();
  return put(c, request, request_len);
}

// Takes n received bytes; 1 when the response is complete, 0 when not, -1 when it is no good response.
static int take(struct conn *c, const char *p, long n) {
  if (c->need < 0) {
    long fits = n < (long)sizeof c->head - 1 - c->head_used ? n : (long)sizeof c->head - 1 - c->head_used;
    memcpy(c->head + c->head_used, p, fits);
    c->head[c->head_used + fits] = 0;
    char *stop = strstr(c->head, "\r\n\r\n"), *length = strcasestr(c->head, "content-length:");
    if (!stop) return c->head_used += fits, 0;
    if (strncmp(c->head, "HTTP/1.1 200", 12) || !length || length > stop) return -1;
    n -= stop + 4 - c->head - c->head_used;
    c->need = atol(length + 15);
    char *name = strcasestr(c->head, "x-backend: ");
    if (name && name < stop) backend = name[11];
  }
  c->need -= n;
  return c->need == 0 ? 1 : c->need < 0 ? -1 : 0;
}

static void step(struct conn *c) {
  static char buf[1 << 18];
  if (c->state == CONNECTING) {
    int err = 0;
    socklen_t n = sizeof err;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &n);
    if (err) return fail(c);
    c->state = c->ssl ? HANDSHAKE : FLIGHT;
    c->need = FLIGHT_SIZE;
    if (!c->ssl && !put(c, hello, hello_len)) return fail(c);
  }
  if (c->state == HANDSHAKE) {
    int r = SSL_do_handshake(c->ssl), why = SSL_get_error(c->ssl, r);
    if (r != 1 && why != SSL_ERROR_WANT_READ) return fail(c);
    if (r == 1) {
      sample(c->began);
      resumed += SSL_session_reused(c->ssl);
      if (!ask(c)) return fail(c);
    }
  }
  if (c->want_out) watch(c, EPOLLIN, EPOLL_CTL_MOD), c->want_out = 0;
  while (c->state == FLIGHT || c->state == RESPONSE) {
    int want = c->state == FLIGHT ? c->need : (int)sizeof buf;
    int n = get(c, buf, want);
    if (n < 0) return fail(c);
    if (n == 0) return;
    bytes += n;
    if (c->state == FLIGHT) {
      if ((c->need -= n)) continue;
      if (mode == HELLO) sample(c->began);
      if (!ask(c)) return fail(c);
      continue;
    }
    int r = take(c, buf, n);
    if (r < 0) return fail(c);
    if (r == 0) continue;
    done++;
    if (mode == BULK) {
      sample(c->began);
      if (!ask(c)) return fail(c);
    } else if (mode == IDLE) {
      c->state = HELD;
      opened++;
      watch(c, 0, EPOLL_CTL_MOD);
    } else {
      return restart(c);
    }
  }
}

static void record_hello(void) {
  SSL *ssl = SSL_new(ctx);
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, in, out);
  SSL_set_tlsext_host_name(ssl, sni);
  SSL_connect(ssl);
  hello_len = BIO_read(out, hello, sizeof hello);
  SSL_free(ssl);
}

static int by_value(const void *a, const void *b) {
  float x = *(const float *)a, y = *(const float *)b;
  return (x > y) - (x < y);
}

static void report(double seconds) {
  qsort(samples, n_samples, sizeof *samples, by_value);
  double p50 = n_samples ? samples[n_samples / 2] : 0, p99 = n_samples ? samples[n_samples * 99 / 100] : 0;
  printf("{\"mode\":\"%s\",\"seconds\":%.3f,\"done\":%ld,\"errors\":%ld,\"resumed\":%ld,\"bytes\":%ld,\"opened\":%d,\"backend\":\"%c\","
         "\"p50_us\":%.1f,\"p99_us\":%.1f}\n", names[mode], seconds, done, errors, resumed, bytes, opened, backend, p50, p99);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 7) return fprintf(stderr, "see the head of load.c\n"), 2;
  while (mode < MODES && strcmp(argv[1], names[mode])) mode++;
  if (mode == MODES) return fprintf(stderr, "no mode %s\n", argv[1]), 2;
  to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[3]))};
  inet_pton(AF_INET, argv[2], &to.sin_addr);
  sni = argv[4];
  int n = atoi(argv[5]);
  double seconds = atof(argv[6]);
  request_len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", argc > 7 ? argv[7] : "/1k", sni);
  samples = malloc(MAX_SAMPLES * sizeof *samples);
  ep = epoll_create1(0);

  ctx = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set1_groups_list(ctx, "X25519");
  if (mode == IDLE) SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  if (mode == RESUME) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
  }
  record_hello();

  struct conn *all = calloc(n, sizeof *all);
  int begun = 0, most = mode == IDLE ? 32 : n;  // idle: 32 handshakes at a time
  double start = now(), last = start;
  while (!stopping) {
    while (begun < n && begun - opened < most) begin(&all[begun++]);
    struct epoll_event e[256];
    int k = epoll_wait(ep, e, 256, 100);
    for (int i = 0; i < k; i++) step(e[i].data.ptr);
    last = now();
    stopping = mode == IDLE ? opened == n || last - start > seconds : last - start > seconds;
  }
  report(last - start);
  if (mode == IDLE) {
    char c;
    while (read(0, &c, 1) > 0) {}
    int alive = 0;
    for (int i = 0; i < n; i++) {
      char probe;
      int r = recv(all[i].fd, &probe, 1, MSG_PEEK | MSG_DONTWAIT);
      alive += r > 0 || (r < 0 && errno == EAGAIN);
    }
    printf("{\"alive\":%d}\n", alive);
  }
  return 0;
}
