/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors about proven flows: they go to the other end of the flow, with the packet they quote as that end knows it. Everything else of
 * ICMP is the kernel's. The quoted transport checksum stays as it was: nobody can check it on a quotation cut short.
 *
 *   Ethernet | IP, to us | ICMP | quoted IP, from us | quoted ports
 *
 * The quotation read backwards is a packet of the opposite direction, which is how the flow is found. */
#ifndef PST_ICMP_H
#define PST_ICMP_H

#include "bpf/core/pst_exit.h"
#include "bpf/core/pst_trial.h"

struct pst_quoted_ports {
	__u16 sport;
	__u16 dport;
	__u32 rest;
};

/* Destination unreachable (with "fragmentation needed"), time exceeded, parameter problem; IPv6's packet too big is 2. */
pst_inline int pst_is_icmp_error(const struct pst_packet *p, __u8 type)
{
	if (p->tuple.v6)
		return type >= 1 && type <= 4;
	return type == 3 || type == 11 || type == 12;
}

pst_inline int pst_parse_quoted_ip4(struct pst_cursor *c, struct pst_packet *p)
{
	struct pst_ip4 *ip = (struct pst_ip4 *)(void *)pst_take(c, sizeof(struct pst_ip4));

	if (!ip)
		return PST_DROP_TRUNCATED;
	if (ip->version_ihl != 0x45 || (ip->fragment & PST_BE16(0x1fff)))
		return PST_PASS_PROTOCOL;
	pst_v4_mapped(&p->tuple.src, ip->dst);
	pst_v4_mapped(&p->tuple.dst, ip->src);
	p->tuple.proto = ip->proto;
	return PST_GO_ON;
}

pst_inline int pst_parse_quoted_ip6(struct pst_cursor *c, struct pst_packet *p)
{
	struct pst_ip6 *ip = (struct pst_ip6 *)(void *)pst_take(c, sizeof(struct pst_ip6));

	if (!ip)
		return PST_DROP_TRUNCATED;
	pst_copy_addr(&p->tuple.src, ip->dst);
	pst_copy_addr(&p->tuple.dst, ip->src);
	p->tuple.proto = ip->next;
	return PST_GO_ON;
}

/* p->tuple becomes the quotation's, read backwards. */
pst_inline int pst_parse_icmp(struct pst_cursor *c, struct pst_packet *p)
{
	struct pst_icmp *icmp = (struct pst_icmp *)(void *)pst_take(c, sizeof(struct pst_icmp));
	struct pst_quoted_ports *ports;
	int verdict;

	if (!icmp)
		return PST_DROP_TRUNCATED;
	if (!pst_is_icmp_error(p, icmp->type))
		return PST_PASS_PROTOCOL;
	verdict = p->tuple.v6 ? pst_parse_quoted_ip6(c, p) : pst_parse_quoted_ip4(c, p);
	if (verdict != PST_GO_ON)
		return verdict;
	if (p->tuple.proto != PST_PROTO_TCP && p->tuple.proto != PST_PROTO_UDP)
		return PST_PASS_PROTOCOL;
	ports = (struct pst_quoted_ports *)(void *)pst_take(c, sizeof(struct pst_quoted_ports));
	if (!ports)
		return PST_DROP_TRUNCATED;
	p->tuple.sport_be = ports->dport;
	p->tuple.dport_be = ports->sport;
	p->is_icmp = 1;
	return PST_GO_ON;
}

pst_inline int pst_icmp_to_client(struct pst_env *env, struct pst_packet *p, struct pst_out *out)
{
	__u64 hash = pst_tuple_hash(env->config->flow_key, &p->tuple, PST_HASH_RETURN);
	__u64 tag_age = 0;
	struct pst_return *r = pst_return_find(env, hash, &tag_age);
	int verdict;

	if (!r)
		return PST_PASS_PROTOCOL;
	verdict = pst_leave_to_client(env, p, r, hash, out);
	return verdict == PST_GO_ON ? PST_ICMP_TO_CLIENT : verdict;
}

pst_inline int pst_icmp_to_backend(struct pst_env *env, struct pst_packet *p, struct pst_out *out)
{
	__u64 word = pst_flow_read(env, pst_tuple_hash(env->config->flow_key, &p->tuple, PST_HASH_FLOW));
	const struct pst_backend *b = word ? pst_backend_of(env, pst_flow_backend(word)) : 0;
	int verdict;

	if (!b)
		return PST_PASS_PROTOCOL;
	verdict = pst_leave_to_backend(env, p, b, pst_flow_backend(word), out);
	out->nat_port = pst_flow_port(word);
	return verdict == PST_GO_ON ? PST_ICMP_TO_BACKEND : verdict;
}

pst_inline int pst_handle_icmp(struct pst_env *env, struct pst_cursor *c, struct pst_packet *p, struct pst_out *out, __u8 kind)
{
	int verdict;

	if (p->fragment)
		return PST_PASS_FRAGMENT;
	if (p->options)
		return PST_PASS_OPTIONS;
	verdict = pst_parse_icmp(c, p);
	if (verdict != PST_GO_ON)
		return verdict;
	verdict = kind & PST_FILTER_NAT ? pst_icmp_to_client(env, p, out) : PST_PASS_PROTOCOL;
	if (verdict == PST_PASS_PROTOCOL && (kind & PST_FILTER_VIP))
		verdict = pst_icmp_to_backend(env, p, out);
	return verdict;
}

#endif
