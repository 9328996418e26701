/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* By which device and to which MAC a packet leaves, and whether this hook can do it. XDP leaves alone what needs tc, untouched: after
 * source NAT the kernel would drop the packet as one of its own. */
#ifndef PST_EXIT_H
#define PST_EXIT_H

#include "bpf/core/pst_return.h"
#include "bpf/core/pst_rewrite.h"

pst_inline int pst_leave_to_backend(struct pst_env *env, struct pst_packet *p, const struct pst_backend *b, __u32 ref,
				    struct pst_out *out)
{
	__u8 way_out = PST_READ(b->exit);

	if (!(PST_READ(b->flags) & PST_BACKEND_READY))
		return PST_DROP_BACKEND_GONE;
	if (way_out == PST_EXIT_NONE)
		return PST_DROP_NO_EXIT;
	if (env->hook == PST_HOOK_XDP && (way_out != PST_EXIT_XMIT || !b->xdp))
		return PST_PASS_TO_TC;
	if (p->ttl <= 1)
		return PST_DROP_TTL;
	out->b = b;
	out->backend = ref & 0xffffff;
	return PST_GO_ON;
}

pst_inline int pst_leave_to_client(struct pst_env *env, struct pst_packet *p, const struct pst_return *r, __u64 hash,
				   struct pst_out *out)
{
	const struct pst_link *link = pst_get_link(env, r->link);

	if (!link || !link->ifindex)
		return PST_DROP_NO_LINK;
	if (env->hook == PST_HOOK_XDP && !(link->flags & PST_LINK_XDP_XMIT))
		return PST_PASS_TO_TC;
	if (p->ttl <= 1)
		return PST_DROP_TTL;
	out->r = r;
	out->tag = PST_RETURN_TAG(hash);
	out->link = link;
	out->backend = r->backend & 0xffffff;
	return PST_GO_ON;
}

#endif
