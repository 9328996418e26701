/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Client to backend: a proven flow, a flow on trial, or a new one. A proven flow keeps its backend as long as its entry stands. Proof is
 * what only the owner of the source address can know: TCP, the backend's sequence number acknowledged; UDP, a packet after a reply. */
#ifndef PST_FORWARD_H
#define PST_FORWARD_H

#include "bpf/core/pst_exit.h"
#include "bpf/core/pst_steer.h"
#include "bpf/core/pst_trial.h"

pst_inline int pst_is_syn(const struct pst_packet *p)
{
	return (p->tcp_flags & (PST_TCP_SYN | PST_TCP_ACK | PST_TCP_RST | PST_TCP_FIN)) == PST_TCP_SYN;
}

/* Protocol and family as one number, as the stages take them. */
pst_inline __u32 pst_kind(const struct pst_packet *p)
{
	return (__u32)p->tuple.proto | (__u32)p->tuple.v6 << 8;
}

/* The sender's MAC and the link it came by: the next hop towards the client. */
pst_inline __u64 pst_hop_of(const struct pst_packet *p, __u32 link)
{
	const __u16 *mac = (const __u16 *)(const void *)p->eth->smac;

	return (__u64)mac[0] | (__u64)mac[1] << 16 | (__u64)mac[2] << 32 | (__u64)link << 48;
}

/* With each tick the next hop towards the client is learnt anew: a router may fail over. 0: the way back has been given to another. */
pst_inline int pst_touch_return(struct pst_env *env, const struct pst_packet *p, __u32 backend, __u16 nat_port, __u32 life)
{
	const __u32 *link = pst_find_link(env, env->ifindex);

	return pst_run_touch_return(env, backend, nat_port, pst_kind(p) | life << 16, link ? pst_hop_of(p, *link) : 0);
}

pst_inline int pst_proves(const struct pst_packet *p, const struct pst_trial *t)
{
	__u8 state = PST_READ(t->state);

	if (!p->is_tcp)
		return state != PST_TRIAL_SENT;
	if ((p->tcp_flags & (PST_TCP_SYN | PST_TCP_RST | PST_TCP_ACK)) != PST_TCP_ACK)
		return 0;
	if (state == PST_TRIAL_CROWDED)
		return 1;
	return state == PST_TRIAL_REPLIED && PST_BE32(pst_tcp_of(p)->ack) == PST_READ(t->backend_isn) + 1;
}

/* PST_GO_ON: the flow is over or void, and this packet belongs to the next one of the same tuple. */
pst_inline int pst_forward_flow(struct pst_env *env, struct pst_packet *p, struct pst_out *out, __u64 hash, __u64 word)
{
	__u32 life = pst_flow_life(word);
	__u32 state = pst_life_state(life);
	const struct pst_backend *b = pst_backend_of(env, pst_flow_backend(word));
	int over = state == PST_FLOW_TCP_CLOSED || state == PST_FLOW_TCP_RESET;
	__u32 fresh;
	int verdict;

	if (!b)
		return PST_GO_ON;
	if (pst_unlikely(over || !(PST_READ(b->flags) & PST_BACKEND_READY))) {
		struct pst_trial *t = pst_trial_find(env, hash);

		if (pst_is_syn(p) || (t && pst_proves(p, t)))
			return PST_GO_ON;
	}
	verdict = pst_leave_to_backend(env, p, b, pst_flow_backend(word), out);
	if (verdict != PST_GO_ON)
		return verdict;
	fresh = pst_life(pst_next_state(state, p->tcp_flags, PST_FLOW_TCP_FIN_IN, PST_FLOW_TCP_FIN_OUT), pst_tick(env));
	if (pst_unlikely(fresh != life)) {
		if (!pst_touch_return(env, p, pst_flow_backend(word), pst_flow_port(word), fresh)) {
			pst_run_drop(env, hash);
			out->backend = 0;
			return PST_GO_ON;
		}
		pst_run_relive(env, hash, pst_flow_backend(word), pst_flow_port(word), fresh);
	}
	out->nat_port = pst_flow_port(word);
	return PST_FORWARD;
}

pst_inline __u32 pst_first_state(const struct pst_packet *p)
{
	if (!p->is_tcp)
		return PST_FLOW_UDP;
	return pst_next_state(PST_FLOW_TCP, p->tcp_flags, PST_FLOW_TCP_FIN_IN, PST_FLOW_TCP_FIN_OUT);
}

/* PST_GO_ON: the trial is void, another may begin. */
pst_inline int pst_forward_trial(struct pst_env *env, struct pst_packet *p, struct pst_out *out, struct pst_trial *t, __u64 hash)
{
	__u32 ref = PST_READ(t->back.backend);
	__u16 nat_port = PST_READ(t->back.nat_port);
	const struct pst_backend *b = pst_backend_of(env, ref);
	int opens = !p->is_tcp || pst_is_syn(p);
	int verdict;

	if (!b || (opens && !pst_takes_new(b)))
		return PST_GO_ON;
	verdict = pst_leave_to_backend(env, p, b, ref, out);
	if (verdict != PST_GO_ON)
		return verdict;
	verdict = PST_FORWARD_TRIAL;
	if (pst_proves(p, t)) {
		if (pst_run_promote(env, hash, pst_kind(p) | pst_life(pst_first_state(p), pst_tick(env)) << 16)) {
			verdict = PST_FORWARD_PROVEN;
			out->flow_event = 2;
		} else {
			PST_WRITE(t->state, PST_TRIAL_CROWDED);
			PST_WRITE(t->used, pst_trial_now(env));
			verdict = PST_FORWARD_CROWDED;
		}
	} else if (opens) {
		PST_WRITE(t->used, pst_trial_now(env));
	}
	out->nat_port = nat_port;
	return verdict;
}

pst_inline int pst_begin_trial(struct pst_env *env, struct pst_packet *p, __u64 hash, __u32 ref, __u16 *nat_port)
{
	const __u32 *link = pst_find_link(env, env->ifindex);
	__u32 port;

	if (!link)
		return PST_DROP_NO_LINK;
	if (pst_source_over_limit(env, &p->tuple.src, p->tuple.v6))
		return PST_DROP_SOURCE_LIMIT;
	port = pst_run_trial_port(env, hash, ref & 0xffffff, pst_kind(p));
	if (!port)
		return PST_DROP_NO_PORT;
	*nat_port = (__u16)port;
	if (!pst_trial_put(env, hash, pst_run_return_hash(env, ref, port, pst_kind(p)), p, *link, ref, *nat_port))
		return PST_DROP_NO_PORT;
	return PST_GO_ON;
}

pst_inline int pst_forward_new(struct pst_env *env, struct pst_packet *p, struct pst_out *out, __u64 hash)
{
	const struct pst_backend *b;
	__u16 nat_port = 0;
	__u32 id, ref;
	int verdict;

	if (p->is_tcp && !pst_is_syn(p))
		return PST_DROP_NO_FLOW;
	id = pst_run_steer(env, out->service, pst_tuple_hash(env->config->steer_key, &p->tuple, PST_HASH_STEER));
	b = id ? pst_get_backend(env, id) : 0;
	if (!b)
		return PST_DROP_NO_BACKEND;
	ref = id | (__u32)PST_READ(b->generation) << 24;
	verdict = pst_leave_to_backend(env, p, b, ref, out);
	if (verdict == PST_GO_ON)
		verdict = pst_begin_trial(env, p, hash, ref, &nat_port);
	if (verdict != PST_GO_ON) {
		out->backend = 0;
		return verdict;
	}
	out->flow_event = 1;
	out->nat_port = nat_port;
	return PST_FORWARD_NEW;
}

/* out->service is set. */
pst_inline int pst_forward(struct pst_env *env, struct pst_packet *p, struct pst_out *out)
{
	__u64 hash = pst_tuple_hash(env->config->flow_key, &p->tuple, PST_HASH_FLOW);
	__u64 word = pst_flow_read(env, hash);
	struct pst_trial *trial;
	int verdict = PST_GO_ON;

	if (pst_likely(word))
		verdict = pst_forward_flow(env, p, out, hash, word);
	if (pst_likely(verdict != PST_GO_ON))
		return verdict;
	trial = pst_trial_find(env, hash);
	if (trial)
		verdict = pst_forward_trial(env, p, out, trial, hash);
	return verdict == PST_GO_ON ? pst_forward_new(env, p, out, hash) : verdict;
}

#endif
