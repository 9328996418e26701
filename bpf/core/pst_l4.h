/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The life of a packet: address filter, way back, listener, backend. A target defines what pst_target.h asks for, then calls pst_l4()
 * with a cursor over a frame's linear part and does what the verdict's class and `out` say.
 *
 * Invariant: a packet with a verdict of class PASS or DROP has not been changed (but for DROP_RACE). */
#ifndef PST_L4_H
#define PST_L4_H

#include "bpf/core/pst_count.h"
#include "bpf/core/pst_forward.h"
#include "bpf/core/pst_icmp.h"
#include "bpf/core/pst_reply.h"

pst_inline int pst_to_listener(struct pst_env *env, struct pst_packet *p, struct pst_out *out)
{
	struct pst_vip_key key = {};
	const struct pst_vip *vip;

	__builtin_memcpy(key.addr, &p->tuple.dst, 16);
	key.port_be = p->tuple.dport_be;
	key.proto = p->tuple.proto;
	vip = pst_find_vip(env, &key);
	if (!vip)
		return PST_PASS_NOT_VIP;
	if (vip->kind != PST_VIP_SERVICE)
		return PST_PASS_OURS;
	out->service = vip->service;
	out->has_service = 1;
	return pst_forward(env, p, out);
}

/* As far as a packet comes that is for nobody here. PST_GO_ON: it is for an address of ours, *kind (PST_FILTER_*) tells of which kind. */
pst_inline int pst_admit(struct pst_env *env, struct pst_cursor *c, struct pst_packet *p, __u8 *kind)
{
	const struct pst_filter *filter;
	int verdict;

	env->config = pst_get_config(env);
	if (!env->config || env->config->abi_version != PST_ABI_VERSION)
		return PST_PASS_NOT_READY;
	verdict = pst_parse_ip(c, p);
	if (verdict != PST_GO_ON)
		return verdict;
	filter = pst_get_filter(env);
	*kind = filter ? filter->slot[pst_filter_slot(&p->tuple.dst)] : 0;
	/* A frame to a group is not for us to steer, even with our address in it. */
	return !*kind || (p->eth->dmac[0] & 1) ? PST_PASS_NOT_OURS : PST_GO_ON;
}

pst_inline int pst_steer_packet(struct pst_env *env, struct pst_cursor *c, struct pst_packet *p, struct pst_out *out, __u8 kind)
{
	int verdict;

	if (p->tuple.proto == (p->tuple.v6 ? PST_PROTO_ICMP6 : PST_PROTO_ICMP))
		return pst_handle_icmp(env, c, p, out, kind);
	verdict = pst_parse_l4(c, p);
	if (verdict != PST_GO_ON)
		return verdict;
	verdict = PST_PASS_NOT_VIP;
	if (kind & PST_FILTER_NAT) {
		__u16 port = PST_BE16(p->tuple.dport_be);

		if (port >= env->config->nat_port_min && port <= env->config->nat_port_max)
			verdict = pst_reply(env, p, out);
		if (verdict != PST_PASS_NO_RETURN && verdict != PST_PASS_NOT_VIP)
			return verdict;
	}
	if (kind & PST_FILTER_VIP) {
		int of_vip = pst_to_listener(env, p, out);

		if (of_vip != PST_PASS_NOT_VIP)
			return of_vip;
	}
	return verdict;
}

pst_inline int pst_send(struct pst_env *env, struct pst_packet *p, const struct pst_out *out, int verdict)
{
	if (!out->r) {
		pst_send_to_backend(env, p, out);
		return verdict;
	}
	pst_send_to_client(env, p, out);
	pst_compiler_barrier();
	/* Given to another flow while it was read: what has been written may be half of each. */
	return PST_RETURN_TAG(PST_READ(out->r->tag_age)) == out->tag ? verdict : PST_DROP_RACE;
}

/* The verdict of one frame; counted. `out` is all zero. */
pst_inline int pst_l4(struct pst_env *env, struct pst_cursor *c, struct pst_out *out)
{
	__u32 linear = (__u32)(c->end - c->pos);
	struct pst_packet p = {};
	__u8 kind = 0;
	int verdict = pst_admit(env, c, &p, &kind);

	if (verdict != PST_GO_ON) {
		pst_count_verdict(env, verdict, p.length ? p.length : linear);
		return verdict;
	}
	pst_in_memory(out);
	verdict = pst_steer_packet(env, c, &p, out, kind);
	if (pst_is_sent(verdict))
		verdict = pst_send(env, &p, out, verdict);
	pst_count_verdict(env, verdict, p.length);
	pst_count_owner(env, verdict, out, p.length);
	return verdict;
}

#endif
