/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow table: proven flows only, from (client, listener, protocol) to backend and NAT port. Layout and its rules of reading and
 * writing are in pst_abi.h. A flow has two candidate lines, neighbours, so the second is fetched with the first; it is
 * used when the first is full. An entry that is alive is never displaced; one that has been idle for its state's time is, when its
 * place is needed. Idle alone ends no flow. */
#ifndef PST_FLOW_H
#define PST_FLOW_H

#include "bpf/core/pst_headers.h"
#include "bpf/core/pst_target.h"

#define PST_TAG_FREE 0ULL
#define PST_TAG_BUSY 1ULL

pst_inline __u32 pst_tick(const struct pst_env *env)
{
	return (__u32)(env->now_ns >> PST_TICK_SHIFT) & PST_TICK_MASK;
}

/* State and age as the last 16 bits of a flow's word and the first of a return's. */
pst_inline __u32 pst_life(__u32 state, __u32 tick)
{
	return state | tick << 4;
}

pst_inline __u64 pst_flow_word(__u32 backend, __u16 nat_port, __u32 life)
{
	return (__u64)backend | (__u64)nat_port << 32 | (__u64)life << 48;
}

/* Backend id and generation, as in pst_return.backend. */
pst_inline __u32 pst_flow_backend(__u64 word)
{
	return (__u32)word;
}

pst_inline __u16 pst_flow_port(__u64 word)
{
	return (__u16)(word >> 32);
}

pst_inline __u32 pst_flow_life(__u64 word)
{
	return (__u32)(word >> 48);
}

pst_inline __u32 pst_life_state(__u32 life)
{
	return life & 15;
}

/* An age that is a tick ahead was written by a CPU that read the clock later. */
pst_inline int pst_life_expired(const struct pst_env *env, __u32 life)
{
	__u32 idle = (pst_tick(env) - (life >> 4)) & PST_TICK_MASK;

	return idle > env->config->idle_ticks[pst_life_state(life) & (PST_FLOW_STATES - 1)] && idle != PST_TICK_MASK;
}

/* Which state follows when a packet with these TCP flags passes; `fin` and `other_fin` are the states of this and the other side's
 * FIN. A RST may be forged, so anything but a RST takes it back. */
pst_inline __u32 pst_next_state(__u32 state, __u8 flags, __u32 fin, __u32 other_fin)
{
	if (state == PST_FLOW_UDP)
		return state;
	if (flags & PST_TCP_RST)
		return PST_FLOW_TCP_RESET;
	if (state == PST_FLOW_TCP_RESET)
		state = PST_FLOW_TCP;
	if (!(flags & PST_TCP_FIN) || state == fin)
		return state;
	return state == other_fin || state == PST_FLOW_TCP_CLOSED ? (__u32)PST_FLOW_TCP_CLOSED : fin;
}

pst_inline struct pst_flow *pst_flow_in_line(struct pst_flow_line *line, __u64 tag, __u64 *word)
{
	__u32 i;

	if (!line)
		return 0;
	PST_UNROLLED
	for (i = 0; i < PST_FLOW_WAYS; i++) {
		struct pst_flow *way = &line->way[i];

		if (PST_READ(way->tag) != tag)
			continue;
		*word = PST_READ(way->word);
		pst_compiler_barrier();
		return PST_READ(way->tag) == tag ? way : 0;
	}
	return 0;
}

pst_inline struct pst_flow *pst_flow_find(struct pst_env *env, __u64 tag, __u64 *word)
{
	__u32 index = (__u32)tag & env->config->flow_mask;
	struct pst_flow *flow = pst_flow_in_line(pst_get_flows(env, index), tag, word);

	return flow ? flow : pst_flow_in_line(pst_get_flows(env, index ^ 1), tag, word);
}

/* The word alone, 0: no such flow. The hot path keeps no pointer into a line: the verifier would follow each way apart. */
pst_inline __u64 pst_flow_read(struct pst_env *env, __u64 tag)
{
	__u64 word = 0;

	return pst_flow_find(env, tag, &word) ? word : 0;
}

/* A place for a new flow: its tag's own, a free one, or one that has been idle for long. */
pst_inline struct pst_flow *pst_flow_place(struct pst_env *env, __u64 tag, __u32 index)
{
	struct pst_flow_line *line = pst_get_flows(env, index);
	struct pst_flow *best = 0;
	__u32 i;

	if (!line)
		return 0;
	PST_UNROLLED
	for (i = 0; i < PST_FLOW_WAYS; i++) {
		struct pst_flow *way = &line->way[i];
		__u64 there = PST_READ(way->tag);

		if (there == tag)
			return way;
		if (there == PST_TAG_FREE || (there != PST_TAG_BUSY && pst_life_expired(env, pst_flow_life(PST_READ(way->word)))))
			best = way;
	}
	return best;
}

/* Returns 0 when both lines are full of live flows, or another CPU was faster. */
pst_inline int pst_flow_put(struct pst_env *env, __u64 tag, __u64 word)
{
	__u32 index = (__u32)tag & env->config->flow_mask;
	struct pst_flow *way;
	__u64 there, old;

	way = pst_flow_find(env, tag, &old);
	if (!way)
		way = pst_flow_place(env, tag, index);
	if (!way)
		way = pst_flow_place(env, tag, index ^ 1);
	if (!way)
		return 0;
	there = PST_READ(way->tag);
	if (there == PST_TAG_BUSY || __sync_val_compare_and_swap(&way->tag, there, PST_TAG_BUSY) != there)
		return 0;
	PST_WRITE(way->word, word);
	__sync_lock_test_and_set(&way->tag, tag);
	return 1;
}

/* Gives the flow another state and age. Compare-and-swap: should the entry have been given away meanwhile, its new owner's word stays. */
pst_inline void pst_flow_relive(struct pst_env *env, __u64 tag, __u32 backend, __u32 nat_port, __u32 life)
{
	__u64 word = 0;
	struct pst_flow *flow = pst_flow_find(env, tag, &word);

	/* The client may have begun a new flow from the same port: then this was the old one's tail. */
	if (flow && pst_flow_backend(word) == backend && pst_flow_port(word) == nat_port)
		(void)__sync_val_compare_and_swap(&flow->word, word, pst_flow_word(backend, (__u16)nat_port, life));
}

pst_inline void pst_flow_drop(struct pst_env *env, __u64 tag)
{
	__u64 word;
	struct pst_flow *flow = pst_flow_find(env, tag, &word);

	if (flow)
		(void)__sync_val_compare_and_swap(&flow->tag, tag, PST_TAG_FREE);
}

#endif
