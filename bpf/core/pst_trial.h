/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Flows on trial: the client has not shown that it owns its address. A table of fixed size, a few seconds a flow; a newer trial
 * takes an older one's place when it must, and no trial takes anything from a proven flow. */
#ifndef PST_TRIAL_H
#define PST_TRIAL_H

#include "bpf/core/pst_packet.h"
#include "bpf/core/pst_return.h"
#include "bpf/core/pst_service.h"

#define PST_TRIAL_PORT_TRIES 32
#define PST_TRIAL_TIME_SHIFT 20

pst_inline __u64 pst_trial_now(const struct pst_env *env)
{
	return env->now_ns >> PST_TRIAL_TIME_SHIFT;
}

/* Signed: another CPU may have read the clock later. */
pst_inline int pst_trial_over(const struct pst_env *env, const struct pst_trial *t)
{
	return (__s64)(pst_trial_now(env) - PST_READ(t->used)) > env->config->trial_ms;
}

pst_inline struct pst_trial_ref *pst_trial_ref_place(struct pst_env *env, __u64 flow_hash)
{
	return pst_get_trial_ref(env, (__u32)(flow_hash >> 24) & env->config->trial_mask);
}

/* By the client's side. */
pst_inline struct pst_trial *pst_trial_find(struct pst_env *env, __u64 flow_hash)
{
	struct pst_trial_ref *ref = pst_trial_ref_place(env, flow_hash);
	struct pst_trial *t;

	if (!ref || PST_READ(ref->flow_tag) != flow_hash)
		return 0;
	t = pst_get_trial(env, PST_READ(ref->trial));
	if (!t || PST_READ(t->flow_tag) != flow_hash || pst_trial_over(env, t))
		return 0;
	return t;
}

/* By the backend's side. */
pst_inline struct pst_trial *pst_trial_of_return(struct pst_env *env, __u64 hash)
{
	struct pst_trial *t = pst_get_trial(env, (__u32)hash & env->config->trial_mask);

	if (!t || PST_RETURN_TAG(PST_READ(t->back.tag_age)) != PST_RETURN_TAG(hash) || pst_trial_over(env, t))
		return 0;
	return t;
}

/* Whoever is alone in its place counts; who comes second takes the place and begins at one. So a flood of forged sources limits
 * nobody, and a single source that opens too much meets its own count. */
pst_inline int pst_source_over_limit(struct pst_env *env, const union pst_addr *source, __u8 v6)
{
	__u64 hash = pst_source_hash(env->config->flow_key, source, v6);
	struct pst_source *s = pst_get_source(env, (__u32)hash & env->config->source_mask);
	__u32 limit = env->config->trials_per_source;
	__u16 window;

	if (!limit || !s || !env->config->trial_ms)
		return 0;
	window = (__u16)(pst_trial_now(env) / env->config->trial_ms);
	if (s->tag != (__u32)(hash >> 32) || s->window != window) {
		s->tag = (__u32)(hash >> 32);
		s->window = window;
		s->count = 0;
	}
	if (s->count >= limit)
		return 1;
	s->count++;
	return 0;
}

/* A port whose place among the proven returns is free; of those, one whose place among the trials is free if it is found soon. 0: none.
 * `kind` is protocol | v6 << 8. */
pst_inline __u32 pst_trial_port(struct pst_env *env, __u64 flow_hash, __u32 backend, __u32 kind)
{
	const struct pst_backend *b = pst_get_backend(env, backend);
	__u32 range = (__u32)env->config->nat_port_max - env->config->nat_port_min + 1;
	__u32 step = pst_scale((__u32)(flow_hash >> 8), range);
	__u32 at = pst_scale((__u32)(flow_hash >> 32), range);
	__u32 round, chosen = 0;

	if (!b)
		return 0;
	PST_LOOPED
	for (round = 0; round < PST_TRIAL_PORT_TRIES; round++) {
		__u32 port = env->config->nat_port_min + at;
		__u64 hash = pst_return_hash(env, b, (__u16)port, kind);
		struct pst_return *r = pst_return_place(env, hash);
		struct pst_trial *t = pst_get_trial(env, (__u32)hash & env->config->trial_mask);

		at += step + 1;
		at = at >= range ? at - range : at;
		if (!r || !t || !pst_return_usable(env, r))
			continue;
		if (!chosen || pst_trial_over(env, t))
			chosen = port;
		if (round >= 1 || pst_trial_over(env, t))
			break;
	}
	return chosen;
}

/* `back` is the hash of the return with this port. Returns 0 if another CPU was faster. */
pst_inline int pst_trial_put(struct pst_env *env, __u64 flow_hash, __u64 back, const struct pst_packet *p, __u32 link, __u32 backend,
			     __u16 nat_port)
{
	__u32 index = (__u32)back & env->config->trial_mask;
	struct pst_trial *t = pst_get_trial(env, index);
	struct pst_trial_ref *ref = pst_trial_ref_place(env, flow_hash);

	if (!t || !ref || !pst_return_claim(&t->back))
		return 0;
	/* Another CPU may have proven the flow whose trial had this port. */
	if (!pst_return_give_way(env, back)) {
		PST_WRITE(t->back.tag_age, PST_TAG_FREE);
		return 0;
	}
	t->flow_tag = flow_hash;
	t->used = pst_trial_now(env);
	t->backend_isn = 0;
	t->state = PST_TRIAL_SENT;
	__builtin_memcpy(t->back.client_addr, &p->tuple.src, 16);
	__builtin_memcpy(t->back.vip_addr, &p->tuple.dst, 16);
	t->back.client_port_be = p->tuple.sport_be;
	t->back.vip_port_be = p->tuple.dport_be;
	__builtin_memcpy(t->back.client_mac, p->eth->smac, 6);
	t->back.link = (__u16)link;
	t->back.backend = backend;
	t->back.nat_port = nat_port;
	t->back.proto = p->tuple.proto;
	pst_return_publish(&t->back, back, 0);
	PST_WRITE(ref->flow_tag, PST_TAG_FREE);
	pst_compiler_barrier();
	PST_WRITE(ref->trial, index);
	pst_compiler_barrier();
	PST_WRITE(ref->flow_tag, flow_hash);
	return 1;
}

pst_inline void pst_trial_drop(struct pst_env *env, struct pst_trial *t, __u64 flow_hash)
{
	struct pst_trial_ref *ref = pst_trial_ref_place(env, flow_hash);
	__u64 there = PST_READ(t->back.tag_age);

	if (ref)
		(void)__sync_val_compare_and_swap(&ref->flow_tag, flow_hash, PST_TAG_FREE);
	if (PST_RETURN_TAG(there) != PST_TAG_BUSY)
		(void)__sync_val_compare_and_swap(&t->back.tag_age, there, PST_TAG_FREE);
}

/* The flow has been proven: a return and a flow of its own, and no trial any more. 0: no room, the trial goes on. Kind and life as in
 * pst_return_touch(). */
pst_inline int pst_trial_promote(struct pst_env *env, __u64 flow_hash, __u32 kind_life)
{
	struct pst_trial *t = pst_trial_find(env, flow_hash);
	const struct pst_backend *b = t ? pst_backend_of(env, PST_READ(t->back.backend)) : 0;
	__u32 life = kind_life >> 16;
	__u64 back, word;

	if (!b)
		return 0;
	back = pst_return_hash(env, b, t->back.nat_port, kind_life);
	word = pst_flow_word(t->back.backend, t->back.nat_port, life);
	if (!pst_return_put(env, back, life, &t->back))
		return 0;
	/* Meanwhile a newer trial may have taken the place, and what was copied may be half of it. */
	pst_compiler_barrier();
	if (PST_READ(t->flow_tag) == flow_hash && PST_RETURN_TAG(PST_READ(t->back.tag_age)) == PST_RETURN_TAG(back) &&
	    pst_flow_put(env, flow_hash, word)) {
		pst_trial_drop(env, t, flow_hash);
		return 1;
	}
	pst_return_evict(env, back);
	return 0;
}

#endif
