/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The first bytes of a dropped packet, into the ring buffer; lost without harm when nobody reads. */
#ifndef PST_EVENT_H
#define PST_EVENT_H

#include "bpf/progs/pst_maps.h"

/* For each kind of context a global function of its own: the verifier walks the loop once, not after each verdict. `where` is
 * ifindex << 32 | hook << 16 | verdict. The length is that of the linear part. */
#define PST_DEFINE_SEND_EVENT(name, context)                                                                     \
	__attribute__((noinline)) int name(struct context *ctx, __u64 now_ns, __u64 where)                       \
	{                                                                                                        \
		const __u8 *at = (const __u8 *)(long)ctx->data, *end = (const __u8 *)(long)ctx->data_end;        \
		struct pst_event *e = bpf_ringbuf_reserve(&pst_events, sizeof(*e), 0);                           \
		__u32 i, n = 0;                                                                                  \
                                                                                                                 \
		if (!e)                                                                                          \
			return 0;                                                                                \
		e->time_ns = now_ns;                                                                             \
		e->ifindex = (__u32)(where >> 32);                                                               \
		e->length = (__u32)(end - at);                                                                   \
		e->verdict = (__u16)where;                                                                       \
		e->hook = (__u8)(where >> 16);                                                                   \
		PST_LOOPED                                                                                       \
		for (i = 0; i < PST_EVENT_BYTES; i++) {                                                          \
			if (at + i + 1 > end)                                                                    \
				break;                                                                           \
			e->bytes[i] = at[i];                                                                     \
			n = i + 1;                                                                               \
		}                                                                                                \
		e->captured = (__u16)n;                                                                          \
		e->zero[0] = e->zero[1] = e->zero[2] = 0;                                                        \
		bpf_ringbuf_submit(e, 0);                                                                        \
		return 1;                                                                                        \
	}

PST_DEFINE_SEND_EVENT(pst_send_event_xdp, xdp_md)
PST_DEFINE_SEND_EVENT(pst_send_event_tc, __sk_buff)

pst_inline __u64 pst_event_where(const struct pst_env *env, int verdict)
{
	return (__u64)env->ifindex << 32 | env->hook << 16 | (__u32)verdict;
}

#endif
