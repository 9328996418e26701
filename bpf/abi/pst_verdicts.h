/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What became of a packet. One list: the enum, the counter's index in pst_verdicts, the documentation row and gwctl's text all
 * expand it. It decides nothing itself. Append only: a verdict keeps its number as long as PST_ABI_VERSION stays.
 *
 * X(NAME, CLASS, sentence). CLASS says what the programs do with the packet:
 *   PASS     left untouched to the kernel (or to the tc program after XDP)
 *   FORWARD  rewritten and sent to a backend
 *   REPLY    rewritten and sent to a client
 *   DROP     dropped, counted, sampled as an event
 */
#ifndef PST_VERDICTS_H
#define PST_VERDICTS_H

#define PST_VERDICTS(X)                                                                                  \
	X(PASS_NOT_READY, PASS, "no configuration has been written yet")                                 \
	X(PASS_NOT_IP, PASS, "neither IPv4 nor IPv6")                                                    \
	X(PASS_NOT_OURS, PASS, "the destination is none of our addresses")                               \
	X(PASS_NOT_VIP, PASS, "the address is ours, but no listener has this protocol and port")         \
	X(PASS_OURS, PASS, "the listener is served by the worker")                                       \
	X(PASS_PROTOCOL, PASS, "the address is ours, but the protocol is neither TCP nor UDP")           \
	X(PASS_TO_TC, PASS, "the way to the backend needs tc: left to the tc program")                   \
	X(PASS_FRAGMENT, PASS, "a fragment: reassembly is left to the kernel")                           \
	X(PASS_OPTIONS, PASS, "IPv4 options or IPv6 extension headers: left to the kernel")              \
	X(PASS_NO_RETURN, PASS, "to one of our NAT ports, but of no known flow: the kernel answers")     \
	X(FORWARD, FORWARD, "forwarded to the backend of its flow")                                      \
	X(FORWARD_NEW, FORWARD, "first packet of a new flow, forwarded on trial")                        \
	X(FORWARD_TRIAL, FORWARD, "forwarded, the flow is still on trial")                               \
	X(FORWARD_PROVEN, FORWARD, "forwarded, and the flow is proven from here on")                     \
	X(FORWARD_CROWDED, FORWARD, "forwarded and proven, but the flow table has no room: stays on trial") \
	X(REPLY, REPLY, "a backend's reply, sent to the client")                                         \
	X(REPLY_TRIAL, REPLY, "a backend's reply, sent to a client on trial")                            \
	X(ICMP_TO_BACKEND, FORWARD, "an ICMP error about a flow, passed on to its backend")              \
	X(ICMP_TO_CLIENT, REPLY, "an ICMP error about a flow, passed on to its client")                  \
	X(DROP_TRUNCATED, DROP, "the packet ends inside a header")                                       \
	X(DROP_MALFORMED, DROP, "the header's lengths contradict each other")                            \
	X(DROP_TTL, DROP, "the TTL or hop limit is used up")                                             \
	X(DROP_NO_BACKEND, DROP, "the service has no backend that takes new flows")                      \
	X(DROP_BACKEND_GONE, DROP, "the flow's backend has been taken away")                             \
	X(DROP_NO_EXIT, DROP, "the next hop to the backend is not known")                                \
	X(DROP_NO_FLOW, DROP, "a TCP segment of no known flow, and no SYN")                              \
	X(DROP_NO_PORT, DROP, "no source port is free towards the backend, or the table has no room")  \
	X(DROP_SOURCE_LIMIT, DROP, "the source has too many flows on trial")                             \
	X(DROP_RACE, DROP, "the flow's entry was given away while the packet was rewritten")             \
	X(DROP_NO_LINK, DROP, "the interface is not registered, so the way back is not known")

enum pst_verdict_class { PST_CLASS_PASS, PST_CLASS_FORWARD, PST_CLASS_REPLY, PST_CLASS_DROP };

enum pst_verdict {
#define PST_X(name, class_, text) PST_##name,
	PST_VERDICTS(PST_X)
#undef PST_X
	PST_VERDICT_COUNT
};

#endif
