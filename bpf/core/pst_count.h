/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counters: one per verdict, and one line for the backend that a packet went to or came from, or for the service whose packet no backend
 * got. The verdict's line is always in the cache, so a packet costs one other write. */
#ifndef PST_COUNT_H
#define PST_COUNT_H

#include "bpf/core/pst_packet.h"
#include "bpf/core/pst_rewrite.h"

#define PST_EVENT_TIME_SHIFT 20 /* "ms" of 2^20 ns, as everywhere in the tables */

/* One bit per verdict of class DROP. */
#define PST_DROP_BIT(name, class_, text) ((__u64)(PST_CLASS_##class_ == PST_CLASS_DROP) << PST_##name) |
#define PST_DROPS (PST_VERDICTS(PST_DROP_BIT) 0ULL)
#define PST_SENT_BIT(name, class_, text) \
	((__u64)(PST_CLASS_##class_ == PST_CLASS_FORWARD || PST_CLASS_##class_ == PST_CLASS_REPLY) << PST_##name) |
#define PST_SENT (PST_VERDICTS(PST_SENT_BIT) 0ULL)
PST_STATIC_ASSERT(PST_VERDICT_COUNT <= 64);

/* The packet has been rewritten and `out` says where it goes. */
pst_inline int pst_is_sent(int verdict)
{
	return (int)(PST_SENT >> verdict & 1);
}

pst_inline int pst_is_drop(int verdict)
{
	return (int)(PST_DROPS >> verdict & 1);
}

pst_inline void pst_count_backend(struct pst_env *env, const struct pst_out *out, __u32 length)
{
	struct pst_backend_count *n = pst_get_backend_count(env, out->backend);

	if (!n)
		return;
	if (out->r) {
		n->packets_out++;
		n->bytes_out += length;
		return;
	}
	n->packets_in++;
	n->bytes_in += length;
	n->flows_new += out->flow_event == 1;
	n->flows_proven += out->flow_event == 2;
}

pst_inline void pst_count_verdict(struct pst_env *env, int verdict, __u32 length)
{
	struct pst_verdict_count *n = pst_get_count(env, (__u32)verdict);

	if (!n)
		return;
	n->packets++;
	n->bytes += length;
}

/* Whose packet it was: the backend's that it went to or came from, else the service's that lost it. */
pst_inline void pst_count_owner(struct pst_env *env, int verdict, const struct pst_out *out, __u32 length)
{
	struct pst_service_count *s;

	if (out->backend) {
		pst_count_backend(env, out, length);
		return;
	}
	s = out->has_service && pst_is_drop(verdict) ? pst_get_service_count(env, out->service) : 0;
	if (s) {
		s->packets_dropped++;
		s->bytes_dropped += length;
	}
}

/* Whether this drop should be shown: one per verdict, CPU and interval. */
pst_inline int pst_event_due(struct pst_env *env, int verdict)
{
	struct pst_verdict_count *n = pst_get_count(env, (__u32)verdict);
	__u64 interval = env->config ? (__u64)env->config->event_interval_ms << PST_EVENT_TIME_SHIFT : 0;

	if (!n || !interval || (n->event_ns && env->now_ns - n->event_ns < interval))
		return 0;
	n->event_ns = env->now_ns;
	return 1;
}

#endif
