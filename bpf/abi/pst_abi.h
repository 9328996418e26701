/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The line between kernel and user space: every map's name, key, value and size, and the constants in them. No code, nothing but
 * <linux/types.h>. C, C++ and BPF compilers must agree on every size and offset, so each is asserted at the end.
 *
 * Conventions. An address is 16 bytes in network order; IPv4 is written as ::ffff:a.b.c.d. A field with the suffix _be is in
 * network order, all others in host order. "apply" writes what is marked so, "programs" (XDP, tc) what is marked so; the one
 * never writes the other's. All padding is zero.
 *
 * Order that apply keeps: backends before slots, slots before the service's word, the word before the VIP, the VIP before the
 * filter; taking away goes the other way round. A backend id and an extent of slots are not used again while a packet may still
 * hold them (an RCU grace period); a backend id not while a flow may (its generation is raised when it is).
 */
#ifndef PST_ABI_H
#define PST_ABI_H

#include <linux/types.h>

#include "bpf/abi/pst_verdicts.h"

/* Raise on any change of a layout, a map's meaning or a verdict's number. Pinned maps live in a folder that carries it. */
#define PST_ABI_VERSION 1

#ifdef __cplusplus
#define PST_STATIC_ASSERT(cond) static_assert(cond, #cond)
#else
#define PST_STATIC_ASSERT(cond) _Static_assert(cond, #cond)
#endif

/* ---- configuration: pst_config[0], written by apply ---------------------------------------------------------------- */

/* States of a flow; index into pst_config.idle_ticks. They only decide how soon an idle entry may be displaced. */
enum pst_flow_state {
	PST_FLOW_FREE = 0,
	PST_FLOW_TCP = 1,         /* both sides talk */
	PST_FLOW_TCP_FIN_IN = 2,  /* the client has sent FIN */
	PST_FLOW_TCP_FIN_OUT = 3, /* the backend has sent FIN */
	PST_FLOW_TCP_CLOSED = 4,  /* both have: a SYN begins a new flow */
	PST_FLOW_TCP_RESET = 5,   /* a RST passed, perhaps a forged one: other traffic revives the flow, a SYN begins a new one */
	PST_FLOW_UDP = 6,
	PST_FLOW_STATES = 8
};

/* One tick of a flow's age is 2^32 ns (4.29 s) of CLOCK_MONOTONIC; an age has 12 bits. */
#define PST_TICK_SHIFT 32
#define PST_TICK_MASK 0xfff

struct pst_config {
	__u32 abi_version;                   /* PST_ABI_VERSION, 0: not ready, every packet passes */
	__u32 flags;                         /* none yet, 0 */
	__u64 flow_key[2];                   /* random, this node's own; a new one orphans every flow */
	__u64 steer_key[2];                  /* chooses the slot of a new flow; the same on all nodes */
	__u32 flow_mask;                     /* max_entries of pst_flows - 1; max_entries is a power of two >= 65536 lines or fewer in tests */
	__u32 return_mask;                   /* max_entries of pst_returns - 1, a power of two */
	__u32 trial_mask;                    /* max_entries of pst_trials - 1, a power of two; pst_trial_index has as many entries */
	__u32 source_mask;                   /* max_entries of pst_sources - 1, a power of two */
	__u16 nat_port_min;                  /* our source ports, both included, outside ip_local_port_range */
	__u16 nat_port_max;
	__u16 trial_ms;                      /* how long a flow may stay on trial, 5000 (one "ms" here is 2^20 ns) */
	__u16 trials_per_source;             /* new flows on trial per source (IPv6: per /64) and trial_ms, 0: no limit */
	__u16 idle_ticks[PST_FLOW_STATES];   /* by pst_flow_state: idle ticks before an entry may be displaced, < 4096 */
	__u32 event_interval_ms;             /* at most one event per verdict and CPU in this time, 0: no events */
	__u32 reserved;
};

/* ---- addresses: pst_filter, written by apply ------------------------------------------------------------------------ */

/* One byte per hash of an address (pst_filter_slot() in bpf/core/pst_hash.h); a collision costs a look-up, nothing else. */
#define PST_FILTER_SIZE 4096
#define PST_FILTER_VIP 1 /* some listener has such an address */
#define PST_FILTER_NAT 2 /* we send to backends from such an address */

struct pst_filter {
	__u8 slot[PST_FILTER_SIZE];
};

/* ---- listeners: pst_vips, written by apply -------------------------------------------------------------------------- */

struct pst_vip_key {
	__u8 addr[16];
	__u16 port_be;
	__u8 proto; /* IPPROTO_TCP 6, IPPROTO_UDP 17 */
	__u8 zero;
};

enum pst_vip_kind {
	PST_VIP_OURS = 1,    /* pass to the kernel and so to the worker */
	PST_VIP_SERVICE = 2, /* steer to a backend of `service` */
	PST_VIP_SNI = 3      /* kept for TLS passthrough in XDP; treated as OURS until then */
};

struct pst_vip {
	__u8 kind; /* enum pst_vip_kind */
	__u8 flags; /* none yet, 0 */
	__u16 service; /* index into pst_services, if kind is SERVICE */
	__u32 listener; /* apply's number of the listener, for people; programs do not read it */
};

/* ---- services: pst_services and pst_slots, written by apply --------------------------------------------------------- */

/* A service is one 64-bit word, changed by one store: bits 0-31 offset (first slot), 32-55 size (slots), 56-63 generation (counts
 * the swaps). Size 0: no backend. pst_service_word() and friends in bpf/core/pst_service.h. */
typedef __u64 pst_service_word_t;

/* pst_slots is one array of 32-bit backend ids, mapped by apply as such; a map value is 16 of them only because a BPF array rounds
 * a value up to 8 bytes. A slot holds a backend of the Maglev table with health already laid over it (where a backend is down, the
 * next of that slot's own permutation). The flag PST_BACKEND_NO_NEW covers the time until such a table is written: the programs then
 * try up to PST_STEER_TRIES other slots, derived from the slot's number alone. */
#define PST_SLOTS_PER_LINE 16
#define PST_STEER_TRIES 16

struct pst_slot_line {
	__u32 backend[PST_SLOTS_PER_LINE]; /* id below 2^24; 0: none */
};

/* ---- backends: pst_backends, written by apply ----------------------------------------------------------------------- */

/* A backend is one endpoint (address and port) of one service; the same endpoint in two services has two ids. Id 0 is never used. */
#define PST_BACKEND_READY 1  /* the record is valid. Without it flows of this backend are dropped, too */
#define PST_BACKEND_NO_NEW 2 /* down or draining: keeps its flows, gets no new ones */

enum pst_exit {
	PST_EXIT_NONE = 0,  /* not resolved yet: dropped with a verdict */
	PST_EXIT_XMIT = 1,  /* dmac and smac are written and the frame is sent by ifindex; XDP does it if flags of the device allow, tc always */
	PST_EXIT_NEIGH = 2, /* tc only: bpf_redirect_neigh by ifindex to next_hop */
	PST_EXIT_PEER = 3   /* tc only: bpf_redirect_peer into the namespace behind the veth ifindex; dmac and smac are written */
};

enum pst_way { PST_WAY_NAT = 0 /* IPIP, GUE, Geneve, L2 DSR follow */ };

struct pst_backend {
	__u8 addr[16];     /* of the listener's family */
	__u8 nat_addr[16]; /* source address towards it: one of ours, of the same family, in the filter as NAT */
	union {
		struct {
			__u8 dmac[6]; /* next hop's, for XMIT and PEER */
			__u8 smac[6]; /* ours on ifindex, for XMIT and PEER */
		} mac;
		__u8 next_hop[16]; /* for NEIGH: the gateway, or the backend itself when on the link */
	} hop;
	__u32 ifindex; /* device the packets leave by */
	__u16 port_be;
	__u16 service; /* index into pst_services */
	__u8 generation; /* raised when the id is given to another endpoint: flows of the former are then void */
	__u8 flags;      /* PST_BACKEND_* */
	__u8 exit;       /* enum pst_exit */
	__u8 way;        /* enum pst_way */
	__u8 xdp;        /* 1: ifindex can transmit XDP frames, so EXIT_XMIT is taken in XDP; 0: left to tc */
	__u8 zero[3];
};

/* ---- links: pst_links and pst_link_of, written by apply ------------------------------------------------------------- */

#define PST_LINK_XDP_XMIT 1 /* XDP may send frames out of it */

/* An interface that our programs are attached to, by its link number. Flows remember the number, so it stays while it is attached. */
struct pst_link {
	__u32 ifindex;
	__u8 mac[6];
	__u8 flags; /* PST_LINK_* */
	__u8 zero;
	__u32 reserved;
};

/* ---- flows: pst_flows, written by programs -------------------------------------------------------------------------- */

/* A proven flow from client to backend.
 *
 *    tag   0: free, 1: being written, else the upper bits of the keyed hash of (client, listener, protocol)
 *    word  bits 0-23 backend | 24-31 its generation | 32-47 NAT port (host order) | 48-51 state | 52-63 age (tick of last use)
 *
 * A line is one cache line. The service is the backend's, so the NAT port takes its place and an established packet needs this one
 * line. Readers re-read the tag after the word; writers clear it first and change a word by compare-and-swap only. */
struct pst_flow {
	__u64 tag;
	__u64 word;
};

#define PST_FLOW_WAYS 4

struct pst_flow_line {
	struct pst_flow way[PST_FLOW_WAYS];
};

/* ---- the way back: pst_returns, written by programs ----------------------------------------------------------------- */

/* What a backend's reply becomes. Direct mapped: the record's place is the hash of (backend, NAT address and port, protocol), and the
 * NAT port is chosen so that the place is free. One cache line.
 *
 *    tag_age  bits 16-63 upper bits of the hash (0: free, 1: being written) | 0-15 age (12 bits) and state (4 bits), as in a flow
 */
struct pst_return {
	__u64 tag_age;
	__u8 client_addr[16];
	__u8 vip_addr[16];
	__u16 client_port_be;
	__u16 vip_port_be;
	__u8 client_mac[6]; /* next hop towards the client */
	__u16 link;         /* index into pst_links: by it the client's packets come and the replies go */
	__u32 backend;      /* bits 0-23 id, 24-31 generation */
	__u16 nat_port;     /* host order */
	__u8 proto;
	__u8 zero;
};

/* ---- trials: pst_trials, pst_trial_index and pst_sources, written by programs --------------------------------------- */

enum pst_trial_state {
	PST_TRIAL_SENT = 1,   /* the client has spoken */
	PST_TRIAL_REPLIED = 2, /* the backend has answered: TCP with backend_isn */
	PST_TRIAL_CROWDED = 3  /* proven, but the flow table had no room: it lives on here and is tried again */
};

/* A flow whose client has not shown that it owns its address. Same place rule as pst_returns, in a table of its own; a newer trial
 * displaces an older one, and neither touches pst_flows or pst_returns. So trials hold no port that a proven flow could want. */
struct pst_trial {
	struct pst_return back;
	__u64 flow_tag;   /* hash of (client, listener, protocol) */
	__u64 used;        /* CLOCK_MONOTONIC in units of 2^20 ns: last packet of the client that counts */
	__u32 backend_isn; /* host order */
	__u8 state;        /* enum pst_trial_state */
	__u8 zero[43];
};

/* From (client, listener, protocol) to the trial. */
struct pst_trial_ref {
	__u64 flow_tag;
	__u32 trial; /* index into pst_trials */
	__u32 zero;
};

/* New trials of one source in the current window. Another source in the same place takes it over, so none can shut out others. */
struct pst_source {
	__u32 tag;
	__u16 window; /* time / trial_ms, modulo 2^16 */
	__u16 count;
};

/* ---- counters, written by programs, per CPU ------------------------------------------------------------------------- */

/* pst_counts, indexed by enum pst_verdict: every packet counts here once per program that saw it (XDP, then tc after PASS_TO_TC). */
struct pst_verdict_count {
	__u64 packets;
	__u64 bytes;
	__u64 event_ns; /* when this verdict last sent an event */
	__u64 zero;
};

/* pst_backend_n, indexed by backend id. A service's traffic is the sum over its backends. Apply zeroes it when it reuses an id. */
struct pst_backend_count {
	__u64 packets_in; /* client to backend */
	__u64 bytes_in;   /* whole frames */
	__u64 packets_out;
	__u64 bytes_out;
	__u64 flows_new;    /* on trial */
	__u64 flows_proven;
	__u64 reserved[2];
};

/* pst_service_n, indexed by service: packets for the service that no backend got, whatever the reason. */
struct pst_service_count {
	__u64 packets_dropped;
	__u64 bytes_dropped;
};

/* ---- events: pst_events, a ring buffer, written by programs --------------------------------------------------------- */

#define PST_EVENT_BYTES 96

enum pst_hook { PST_HOOK_XDP = 0, PST_HOOK_TC = 1, PST_HOOK_HOST = 2 };

struct pst_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 ifindex; /* it came in by this interface */
	__u32 length;  /* of the frame as far as it is linear */
	__u16 verdict; /* enum pst_verdict */
	__u16 captured; /* valid bytes below */
	__u8 hook;      /* enum pst_hook */
	__u8 zero[3];
	__u8 bytes[PST_EVENT_BYTES];
};

/* ---- the maps ------------------------------------------------------------------------------------------------------- */

#define PST_VIPS_MAX 16384
#define PST_SERVICES_MAX 16384
#define PST_BACKENDS_MAX 65536
#define PST_SLOT_LINES_MAX 262144 /* 4,194,304 slots, 16 MiB */
#define PST_LINKS_MAX 4096
#define PST_FLOW_LINES_MAX 262144 /* 1,048,576 flows, 16 MiB; rated for a quarter of them */
#define PST_RETURNS_MAX 524288    /* 32 MiB */
#define PST_TRIALS_MAX 65536      /* 8 MiB */
#define PST_SOURCES_MAX 65536
#define PST_EVENTS_BYTES 262144

/* X(NAME, TYPE (BPF_MAP_TYPE_...), KEY, VALUE, ENTRIES, MMAP (1: BPF_F_MMAPABLE)). ENTRIES is the default, the loader may set another
 * before it loads. MMAP is also what aligns an array to pages, so that 64-byte values keep to one cache line. The ring buffer
 * pst_events (PST_EVENTS_BYTES) has no key and stands apart. */
#define PST_MAPS(X)                                                                     \
	X(pst_config, ARRAY, __u32, struct pst_config, 1, 0)                            \
	X(pst_filter, ARRAY, __u32, struct pst_filter, 1, 1)                            \
	X(pst_vips, HASH, struct pst_vip_key, struct pst_vip, PST_VIPS_MAX, 0)          \
	X(pst_services, ARRAY, __u32, pst_service_word_t, PST_SERVICES_MAX, 1)          \
	X(pst_slots, ARRAY, __u32, struct pst_slot_line, PST_SLOT_LINES_MAX, 1)         \
	X(pst_backends, ARRAY, __u32, struct pst_backend, PST_BACKENDS_MAX, 1)          \
	X(pst_links, ARRAY, __u32, struct pst_link, PST_LINKS_MAX, 1)                   \
	X(pst_link_of, HASH, __u32, __u32, PST_LINKS_MAX, 0)                            \
	X(pst_flows, ARRAY, __u32, struct pst_flow_line, PST_FLOW_LINES_MAX, 1)         \
	X(pst_returns, ARRAY, __u32, struct pst_return, PST_RETURNS_MAX, 1)             \
	X(pst_trials, ARRAY, __u32, struct pst_trial, PST_TRIALS_MAX, 1)                \
	X(pst_trial_index, ARRAY, __u32, struct pst_trial_ref, PST_TRIALS_MAX, 1)       \
	X(pst_sources, ARRAY, __u32, struct pst_source, PST_SOURCES_MAX, 1)             \
	X(pst_counts, PERCPU_ARRAY, __u32, struct pst_verdict_count, PST_VERDICT_COUNT, 0) \
	X(pst_backend_n, PERCPU_ARRAY, __u32, struct pst_backend_count, PST_BACKENDS_MAX, 0) \
	X(pst_service_n, PERCPU_ARRAY, __u32, struct pst_service_count, PST_SERVICES_MAX, 0)

/* pst_link_of: ifindex -> link number, written by apply after pst_links. */

/* ---- sizes and offsets ---------------------------------------------------------------------------------------------- */

#define PST_LAYOUT(type, field, at) PST_STATIC_ASSERT(__builtin_offsetof(type, field) == (at))

PST_STATIC_ASSERT(sizeof(struct pst_config) == 88);
PST_LAYOUT(struct pst_config, flow_key, 8);
PST_LAYOUT(struct pst_config, steer_key, 24);
PST_LAYOUT(struct pst_config, flow_mask, 40);
PST_LAYOUT(struct pst_config, return_mask, 44);
PST_LAYOUT(struct pst_config, trial_mask, 48);
PST_LAYOUT(struct pst_config, source_mask, 52);
PST_LAYOUT(struct pst_config, nat_port_min, 56);
PST_LAYOUT(struct pst_config, nat_port_max, 58);
PST_LAYOUT(struct pst_config, trial_ms, 60);
PST_LAYOUT(struct pst_config, trials_per_source, 62);
PST_LAYOUT(struct pst_config, idle_ticks, 64);
PST_LAYOUT(struct pst_config, event_interval_ms, 80);
PST_STATIC_ASSERT(sizeof(struct pst_filter) == 4096);
PST_STATIC_ASSERT(sizeof(struct pst_vip_key) == 20);
PST_LAYOUT(struct pst_vip_key, port_be, 16);
PST_LAYOUT(struct pst_vip_key, proto, 18);
PST_STATIC_ASSERT(sizeof(struct pst_vip) == 8);
PST_LAYOUT(struct pst_vip, service, 2);
PST_LAYOUT(struct pst_vip, listener, 4);
PST_STATIC_ASSERT(sizeof(pst_service_word_t) == 8);
PST_STATIC_ASSERT(sizeof(struct pst_slot_line) == 64);
PST_STATIC_ASSERT(sizeof(struct pst_backend) == 64);
PST_LAYOUT(struct pst_backend, nat_addr, 16);
PST_LAYOUT(struct pst_backend, hop, 32);
PST_LAYOUT(struct pst_backend, ifindex, 48);
PST_LAYOUT(struct pst_backend, port_be, 52);
PST_LAYOUT(struct pst_backend, service, 54);
PST_LAYOUT(struct pst_backend, generation, 56);
PST_LAYOUT(struct pst_backend, flags, 57);
PST_LAYOUT(struct pst_backend, exit, 58);
PST_LAYOUT(struct pst_backend, way, 59);
PST_LAYOUT(struct pst_backend, xdp, 60);
PST_STATIC_ASSERT(sizeof(struct pst_link) == 16);
PST_LAYOUT(struct pst_link, mac, 4);
PST_LAYOUT(struct pst_link, flags, 10);
PST_STATIC_ASSERT(sizeof(struct pst_flow) == 16);
PST_STATIC_ASSERT(sizeof(struct pst_flow_line) == 64);
PST_STATIC_ASSERT(sizeof(struct pst_return) == 64);
PST_LAYOUT(struct pst_return, client_addr, 8);
PST_LAYOUT(struct pst_return, vip_addr, 24);
PST_LAYOUT(struct pst_return, client_port_be, 40);
PST_LAYOUT(struct pst_return, vip_port_be, 42);
PST_LAYOUT(struct pst_return, client_mac, 44);
PST_LAYOUT(struct pst_return, link, 50);
PST_LAYOUT(struct pst_return, backend, 52);
PST_LAYOUT(struct pst_return, nat_port, 56);
PST_LAYOUT(struct pst_return, proto, 58);
PST_STATIC_ASSERT(sizeof(struct pst_trial) == 128);
PST_LAYOUT(struct pst_trial, flow_tag, 64);
PST_LAYOUT(struct pst_trial, used, 72);
PST_LAYOUT(struct pst_trial, backend_isn, 80);
PST_LAYOUT(struct pst_trial, state, 84);
PST_STATIC_ASSERT(sizeof(struct pst_trial_ref) == 16);
PST_LAYOUT(struct pst_trial_ref, trial, 8);
PST_STATIC_ASSERT(sizeof(struct pst_source) == 8);
PST_STATIC_ASSERT(sizeof(struct pst_verdict_count) == 32);
PST_STATIC_ASSERT(sizeof(struct pst_backend_count) == 64);
PST_STATIC_ASSERT(sizeof(struct pst_service_count) == 16);
PST_STATIC_ASSERT(sizeof(struct pst_event) == 120);
PST_LAYOUT(struct pst_event, verdict, 16);
PST_LAYOUT(struct pst_event, captured, 18);
PST_LAYOUT(struct pst_event, hook, 20);
PST_LAYOUT(struct pst_event, bytes, 24);

#endif
