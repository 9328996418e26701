/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The way back: from (backend, NAT address and port, protocol) to client, listener and next hop; one cache line, direct mapped.
 * The NAT port is chosen so that the place is free, which is why no second place is ever looked at. */
#ifndef PST_RETURN_H
#define PST_RETURN_H

#include "bpf/core/pst_flow.h"
#include "bpf/core/pst_hash.h"

#define PST_RETURN_TAG(tag_age) ((tag_age) >> 16)

/* The backend that a flow names, or 0 if its id has been given to another endpoint since. */
pst_inline const struct pst_backend *pst_backend_of(struct pst_env *env, __u32 ref)
{
	const struct pst_backend *b = pst_get_backend(env, ref & 0xffffff);

	return b && PST_READ(b->generation) == ref >> 24 ? b : 0;
}

/* `kind` is protocol | v6 << 8. */
pst_inline __u64 pst_return_hash(struct pst_env *env, const struct pst_backend *b, __u16 nat_port, __u32 kind)
{
	struct pst_ends e = {pst_as_addr(b->addr), pst_as_addr(b->nat_addr), b->port_be, PST_BE16(nat_port)};

	return pst_ends_hash(env->config->flow_key, &e, (__u8)kind, (__u8)(kind >> 8 & 1), PST_HASH_RETURN);
}

pst_inline struct pst_return *pst_return_place(struct pst_env *env, __u64 hash)
{
	return pst_get_return(env, (__u32)hash & env->config->return_mask);
}

pst_inline struct pst_return *pst_return_find(struct pst_env *env, __u64 hash, __u64 *tag_age)
{
	struct pst_return *r = pst_return_place(env, hash);

	if (!r)
		return 0;
	*tag_age = PST_READ(r->tag_age);
	return PST_RETURN_TAG(*tag_age) == PST_RETURN_TAG(hash) ? r : 0;
}

/* May a flow whose hash is `hash` have this place? */
pst_inline int pst_return_usable(struct pst_env *env, const struct pst_return *r)
{
	__u64 there = PST_READ(r->tag_age);

	if (PST_RETURN_TAG(there) == PST_TAG_BUSY)
		return 0;
	return PST_RETURN_TAG(there) == PST_TAG_FREE || pst_life_expired(env, (__u32)there & 0xffff);
}

pst_inline void pst_return_copy(struct pst_return *to, const struct pst_return *from)
{
	const __u64 *f = (const __u64 *)(const void *)from;
	__u64 *t = (__u64 *)(void *)to;
	__u32 i;

	PST_UNROLLED
	for (i = 1; i < sizeof(*to) / 8; i++)
		PST_WRITE(t[i], f[i]);
}

pst_inline int pst_return_claim(struct pst_return *r)
{
	__u64 there = PST_READ(r->tag_age);

	if (PST_RETURN_TAG(there) == PST_TAG_BUSY)
		return 0;
	return __sync_val_compare_and_swap(&r->tag_age, there, PST_TAG_BUSY << 16) == there;
}

pst_inline void pst_return_publish(struct pst_return *r, __u64 hash, __u32 life)
{
	__sync_lock_test_and_set(&r->tag_age, PST_RETURN_TAG(hash) << 16 | life);
}

pst_inline int pst_return_put(struct pst_env *env, __u64 hash, __u32 life, const struct pst_return *from)
{
	struct pst_return *r = pst_return_place(env, hash);

	if (!r || !pst_return_usable(env, r) || !pst_return_claim(r))
		return 0;
	pst_return_copy(r, from);
	pst_return_publish(r, hash, life);
	return 1;
}

pst_inline void pst_return_relive(struct pst_return *r, __u64 tag_age, __u32 life)
{
	(void)__sync_val_compare_and_swap(&r->tag_age, tag_age, (tag_age & ~0xffffULL) | life);
}

/* An idle flow that had this very port is taken away: its replies would hide those of the flow that gets the port now. 0: the flow lives. */
pst_inline int pst_return_give_way(struct pst_env *env, __u64 hash)
{
	__u64 tag_age = 0;
	struct pst_return *r = pst_return_find(env, hash, &tag_age);

	if (!r)
		return 1;
	return pst_life_expired(env, (__u32)tag_age & 0xffff) &&
	       __sync_val_compare_and_swap(&r->tag_age, tag_age, PST_TAG_FREE) == tag_age;
}

/* Takes the return away, whatever its age. */
pst_inline void pst_return_evict(struct pst_env *env, __u64 hash)
{
	__u64 tag_age = 0;
	struct pst_return *r = pst_return_find(env, hash, &tag_age);

	if (r)
		(void)__sync_val_compare_and_swap(&r->tag_age, tag_age, PST_TAG_FREE);
}

/* Refreshes the record of (backend, NAT port, kind): life is kind_life >> 16, `hop` the next hop's MAC | link << 48, 0: as it was. Returns
 * 0 if there is none. */
pst_inline int pst_return_touch(struct pst_env *env, __u32 backend, __u32 nat_port, __u32 kind_life, __u64 hop)
{
	const struct pst_backend *b = pst_backend_of(env, backend);
	__u64 tag_age = 0;
	struct pst_return *r = b ? pst_return_find(env, pst_return_hash(env, b, (__u16)nat_port, kind_life), &tag_age) : 0;
	__u16 *mac;

	if (!r)
		return 0;
	pst_return_relive(r, tag_age, kind_life >> 16);
	if (hop) {
		mac = (__u16 *)(void *)r->client_mac;
		mac[0] = (__u16)hop;
		mac[1] = (__u16)(hop >> 16);
		mac[2] = (__u16)(hop >> 32);
		r->link = (__u16)(hop >> 48);
	}
	return 1;
}

/* The forward entry ages and changes state with its replies, too: a stream that only the backend sends must not lose it. */
pst_inline void pst_return_touch_flow(struct pst_env *env, __u64 hash, __u32 kind_life)
{
	__u64 tag_age;
	struct pst_return *r = pst_return_find(env, hash, &tag_age);
	struct pst_ends e;

	if (!r)
		return;
	e.src = pst_as_addr(r->client_addr);
	e.dst = pst_as_addr(r->vip_addr);
	e.sport_be = r->client_port_be;
	e.dport_be = r->vip_port_be;
	pst_flow_relive(env, pst_ends_hash(env->config->flow_key, &e, (__u8)kind_life, (__u8)(kind_life >> 8 & 1), PST_HASH_FLOW), r->backend,
			r->nat_port, kind_life >> 16);
}

#endif
