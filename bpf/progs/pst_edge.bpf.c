/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The edge's programs: pst_xdp for interfaces that face clients or backends, pst_tc for the ingress of the same and of pod-facing devices.
 * They share the maps and the core; XDP takes what it can send itself and leaves the rest, untouched, to tc. */
#include "bpf/progs/pst_maps.h"
#include "bpf/progs/pst_check.h"
#include "bpf/progs/pst_event.h"
#include "bpf/progs/pst_stages.h"

#include "bpf/core/pst_l4.h"

/* Of the last timer tick: ages and trials count in milliseconds and more, and to ask the clock itself costs a tenth of a packet's time. */
#define pst_now_ns() bpf_ktime_get_coarse_ns()
#define PST_PULL_BYTES 128 /* Ethernet, IPv6 and TCP with all options */
#define PST_TC_OK 0
#define PST_TC_SHOT 2
#define PST_PACKET_HOST 0
#define PST_AF_INET 2
#define PST_AF_INET6 10

char _license[] SEC("license") = "Dual BSD/GPL";

SEC("xdp.frags")
int pst_xdp(struct xdp_md *ctx)
{
	struct pst_cursor c = {(__u8 *)(long)ctx->data, (__u8 *)(long)ctx->data_end};
	struct pst_env env = {.target = ctx,
			      .now_ns = pst_now_ns(),
			      .ifindex = ctx->ingress_ifindex,
			      .hook = PST_HOOK_XDP};
	struct pst_out out = {};
	int verdict = pst_l4(&env, &c, &out);

	if (pst_is_sent(verdict))
		return pst_out_ifindex(&out) == env.ifindex ? XDP_TX : (int)bpf_redirect(pst_out_ifindex(&out), 0);
	if (!pst_is_drop(verdict))
		return XDP_PASS;
	if (pst_event_due(&env, verdict))
		pst_send_event_xdp(ctx, env.now_ns, pst_event_where(&env, verdict));
	return XDP_DROP;
}

/* With a next hop given, the kernel resolves the neighbour and looks up no route. */
pst_inline int pst_redirect_neigh(const struct pst_backend *b)
{
	const union pst_addr *next_hop = pst_as_addr(b->hop.next_hop);
	struct bpf_redir_neigh hop = {};

	if (next_hop->pair[0] == 0 && next_hop->word[2] == PST_BE32(0xffff)) {
		hop.nh_family = PST_AF_INET;
		hop.ipv4_nh = next_hop->word[3];
	} else {
		hop.nh_family = PST_AF_INET6;
		__builtin_memcpy(hop.ipv6_nh, next_hop, 16);
	}
	return (int)bpf_redirect_neigh(b->ifindex, &hop, sizeof(hop), 0);
}

pst_inline int pst_redirect(const struct pst_out *out)
{
	if (!out->r && out->b->exit == PST_EXIT_NEIGH)
		return pst_redirect_neigh(out->b);
	if (!out->r && out->b->exit == PST_EXIT_PEER)
		return (int)bpf_redirect_peer(out->b->ifindex, 0);
	return (int)bpf_redirect(pst_out_ifindex(out), 0);
}

SEC("tc")
int pst_tc(struct __sk_buff *skb)
{
	struct pst_env env = {
		.target = skb, .now_ns = pst_now_ns(), .ifindex = skb->ifindex, .hook = PST_HOOK_TC};
	struct pst_out out = {};
	struct pst_cursor c;
	int verdict;

	/* Seen on its way through a bridge's port, or overheard: not counted, it will come again where it is addressed to. */
	if (skb->pkt_type != PST_PACKET_HOST)
		return PST_TC_OK;
	if ((long)skb->data + PST_PULL_BYTES > (long)skb->data_end)
		bpf_skb_pull_data(skb, skb->len < PST_PULL_BYTES ? skb->len : PST_PULL_BYTES);
	c.pos = (__u8 *)(long)skb->data;
	c.end = (__u8 *)(long)skb->data_end;
	verdict = pst_l4(&env, &c, &out);
	if (pst_is_sent(verdict))
		return pst_redirect(&out);
	if (!pst_is_drop(verdict))
		return PST_TC_OK;
	if (pst_event_due(&env, verdict))
		pst_send_event_tc(skb, env.now_ns, pst_event_where(&env, verdict));
	return PST_TC_SHOT;
}
