/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* New addresses, ports, hop limit and MACs for a packet, with its checksums kept true by what changed alone. It decides nothing. */
#ifndef PST_REWRITE_H
#define PST_REWRITE_H

#include "bpf/core/pst_csum.h"
#include "bpf/core/pst_hash.h"
#include "bpf/core/pst_packet.h"
#include "bpf/core/pst_target.h"

/* What the stages decide about a packet that is to be sent: to the backend b from nat_port, or to the client of r. */
struct pst_out {
	const struct pst_backend *b;
	const struct pst_return *r;   /* 0: towards the backend */
	const struct pst_link *link;  /* with r: the replies leave by it */
	__u64 tag;                    /* r's tag when it was found; it must be the same when the packet is written */
	__u32 backend;                /* id, for the counters; 0: none */
	__u32 service;
	__u16 nat_port;
	__u8 has_service;
	__u8 flow_event; /* 1: a new flow, 2: a proven one */
};

pst_inline void pst_write_macs(struct pst_eth *eth, const __u8 *dmac, const __u8 *smac)
{
	const __u16 *d = (const __u16 *)(const void *)dmac;
	const __u16 *s = (const __u16 *)(const void *)smac;
	__u16 *to = (__u16 *)(void *)eth;

	to[0] = d[0];
	to[1] = d[1];
	to[2] = d[2];
	to[3] = s[0];
	to[4] = s[1];
	to[5] = s[2];
}

pst_inline void pst_rewrite_ip4(struct pst_ip4 *ip, const struct pst_ends *to, __u64 addresses)
{
	__u16 *hop = (__u16 *)(void *)&ip->ttl;
	__u16 was = *hop;

	ip->src = to->src->word[3];
	ip->dst = to->dst->word[3];
	ip->ttl--;
	ip->check = pst_csum_apply(ip->check, pst_csum_swap16(pst_csum_fold32(addresses), was, *hop));
}

pst_inline void pst_rewrite_ip6(struct pst_ip6 *ip, const struct pst_ends *to)
{
	ip->src[0] = to->src->word[0];
	ip->src[1] = to->src->word[1];
	ip->src[2] = to->src->word[2];
	ip->src[3] = to->src->word[3];
	ip->dst[0] = to->dst->word[0];
	ip->dst[1] = to->dst->word[1];
	ip->dst[2] = to->dst->word[2];
	ip->dst[3] = to->dst->word[3];
	ip->hop_limit--;
}

pst_inline void pst_rewrite_quoted_ip4(struct pst_ip4 *ip, const struct pst_ends *to)
{
	__u64 diff = pst_csum_swap(pst_csum_swap(0, ip->src, to->dst->word[3]), ip->dst, to->src->word[3]);

	ip->src = to->dst->word[3];
	ip->dst = to->src->word[3];
	ip->check = pst_csum_apply(ip->check, diff);
}

pst_inline __u64 pst_rewrite_quoted_ports(struct pst_udp *ports, const struct pst_ends *to)
{
	__u64 diff = pst_csum_swap16(pst_csum_swap16(0, ports->sport, to->dport_be), ports->dport, to->sport_be);

	ports->sport = to->dport_be;
	ports->dport = to->sport_be;
	return diff;
}

/* The quoted header's own checksum takes up what changes in it, so the ICMP checksum sees the ports only. */
pst_inline void pst_rewrite_icmp4(struct pst_packet *p, const struct pst_ends *to)
{
	struct pst_ip4 *ip = pst_ip4_of(p);
	struct pst_icmp *icmp = (struct pst_icmp *)(void *)(ip + 1);
	struct pst_ip4 *quoted = (struct pst_ip4 *)(void *)(icmp + 1);
	__u64 outer = pst_csum_swap(pst_csum_swap(0, ip->src, to->src->word[3]), ip->dst, to->dst->word[3]);

	pst_rewrite_ip4(ip, to, outer);
	pst_rewrite_quoted_ip4(quoted, to);
	icmp->check = pst_csum_apply(icmp->check, pst_rewrite_quoted_ports((struct pst_udp *)(void *)(quoted + 1), to));
}

/* ICMPv6 sums the pseudo header and the quoted addresses, too. p->tuple is the quotation read backwards. */
pst_inline void pst_rewrite_icmp6(struct pst_packet *p, const struct pst_ends *to)
{
	struct pst_ip6 *ip = pst_ip6_of(p);
	struct pst_icmp *icmp = (struct pst_icmp *)(void *)(ip + 1);
	struct pst_ip6 *quoted = (struct pst_ip6 *)(void *)(icmp + 1);
	struct pst_ends back = {to->dst, to->src, 0, 0};
	__u64 diff = pst_csum_swap_addr(pst_csum_swap_addr(0, &p->tuple.dst, back.src), &p->tuple.src, back.dst);
	union pst_addr was;

	pst_copy_addr(&was, ip->src);
	diff = pst_csum_swap_addr(diff, &was, to->src);
	pst_copy_addr(&was, ip->dst);
	diff = pst_csum_swap_addr(diff, &was, to->dst);
	pst_rewrite_ip6(ip, to);
	pst_rewrite_ip6(quoted, &back);
	quoted->hop_limit++;
	diff += pst_rewrite_quoted_ports((struct pst_udp *)(void *)(quoted + 1), to);
	icmp->check = pst_csum_apply(icmp->check, diff);
}

/* The hop limit must be above 1, see PST_DROP_TTL. */
pst_inline void pst_rewrite(struct pst_env *env, struct pst_packet *p, const struct pst_ends *to)
{
	__u64 addresses = pst_csum_swap_addr(pst_csum_swap_addr(0, &p->tuple.src, to->src), &p->tuple.dst, to->dst);
	__u64 ports = pst_csum_swap16(pst_csum_swap16(0, p->tuple.sport_be, to->sport_be), p->tuple.dport_be, to->dport_be);
	__u32 l4 = (__u32)sizeof(struct pst_eth);
	struct pst_udp *head = pst_udp_of(p); /* TCP has its ports in the same place */

	if (!p->tuple.v6) {
		pst_rewrite_ip4(pst_ip4_of(p), to, addresses);
		l4 += (__u32)sizeof(struct pst_ip4);
	} else {
		pst_rewrite_ip6(pst_ip6_of(p), to);
		l4 += (__u32)sizeof(struct pst_ip6);
	}
	head->sport = to->sport_be;
	head->dport = to->dport_be;
	if (p->is_tcp)
		pst_fix_l4_check(env, &pst_tcp_of(p)->check, l4 + (__u32)__builtin_offsetof(struct pst_tcp, check), addresses, ports, 0);
	else
		pst_fix_l4_check(env, &head->check, l4 + (__u32)__builtin_offsetof(struct pst_udp, check), addresses, ports, 1);
}

pst_inline void pst_rewrite_any(struct pst_env *env, struct pst_packet *p, const struct pst_ends *to)
{
	if (!p->is_icmp)
		pst_rewrite(env, p, to);
	else if (p->tuple.v6)
		pst_rewrite_icmp6(p, to);
	else
		pst_rewrite_icmp4(p, to);
}

pst_inline void pst_send_to_backend(struct pst_env *env, struct pst_packet *p, const struct pst_out *out)
{
	const struct pst_backend *b = out->b;
	struct pst_ends to = {pst_as_addr(b->nat_addr), pst_as_addr(b->addr), PST_BE16(out->nat_port), b->port_be};

	if (b->exit != PST_EXIT_NEIGH)
		pst_write_macs(p->eth, b->hop.mac.dmac, b->hop.mac.smac);
	pst_rewrite_any(env, p, &to);
}

pst_inline void pst_send_to_client(struct pst_env *env, struct pst_packet *p, const struct pst_out *out)
{
	const struct pst_return *r = out->r;
	struct pst_ends to = {pst_as_addr(r->vip_addr), pst_as_addr(r->client_addr), r->vip_port_be, r->client_port_be};

	pst_write_macs(p->eth, r->client_mac, out->link->mac);
	pst_rewrite_any(env, p, &to);
}

/* The device that a rewritten packet leaves by. */
pst_inline __u32 pst_out_ifindex(const struct pst_out *out)
{
	return out->r ? out->link->ifindex : out->b->ifindex;
}

#endif
