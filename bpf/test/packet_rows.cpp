// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The frames that the rows share, and the rows of TCP and UDP flows.
#include "bpf/test/packet_rows.hpp"

namespace penstock::bpf_test {

Frame request(bool v6, std::uint16_t port, std::uint8_t flags) {
    Frame f;
    f.src = {v6 ? "2001:db8:c::7" : "198.51.100.7", 40000};
    f.dst = {v6 ? "2001:db8:1::10" : "192.0.2.10", port};
    f.flags = flags;
    f.seq = kClientIsn + ((flags & kSyn) == 0 ? 1 : 0);
    f.ack = (flags & kAck) != 0 ? kBackendIsn + 1 : 0;
    return f;
}

Frame reply(bool v6, std::uint8_t flags) {
    Frame f;
    f.src = {v6 ? "fd00:1::1" : "10.0.1.1", 8080};
    f.dst = {v6 ? "fd00::1" : "10.0.0.1", kNatPort};
    f.flags = flags;
    f.seq = kBackendIsn + ((flags & kSyn) == 0 ? 1 : 0);
    f.ack = kClientIsn + 1;
    f.smac = "02:00:00:00:00:b1";
    f.dmac = "02:00:00:00:00:02";
    return f;
}

Frame forwarded(const Frame& in) {
    Frame f = in;
    const bool v6 = f.dst.address.find(':') != std::string::npos;
    f.src = {v6 ? "fd00::1" : "10.0.0.1", kNatPort};
    f.dst = {v6 ? "fd00:1::1" : "10.0.1.1", 8080};
    f.ttl--;
    if (in.dst.port != 82) {  // 82: the kernel's neighbour table writes the MACs
        f.dmac = "02:00:00:00:00:b1";
        f.smac = "02:00:00:00:00:02";
    }
    return f;
}

Frame returned(const Frame& in, std::uint16_t vip_port) {
    Frame f = in;
    const bool v6 = f.dst.address.find(':') != std::string::npos;
    f.src = {v6 ? "2001:db8:1::10" : "192.0.2.10", vip_port};
    f.dst = {v6 ? "2001:db8:c::7" : "198.51.100.7", 40000};
    f.ttl--;
    f.dmac = "02:00:00:00:00:c1";
    f.smac = "02:00:00:00:00:01";
    return f;
}

Step forward(pst_verdict verdict, const Frame& in) {
    Step step{.verdict = verdict, .in = in};
    step.out = forwarded(in);
    step.out_ifindex = kFabric;
    return step;
}

Step back(pst_verdict verdict, const Frame& in, std::uint16_t vip_port) {
    Step step{.verdict = verdict, .in = in};
    step.out = returned(in, vip_port);
    step.out_ifindex = kUplink;
    return step;
}

std::vector<Step> handshake(bool v6) {
    return {forward(PST_FORWARD_NEW, request(v6, 80, kSyn)), back(PST_REPLY_TRIAL, reply(v6, kSyn | kAck)),
            forward(PST_FORWARD_PROVEN, request(v6, 80, kAck))};
}

void age_ticks(Tables& t, std::uint32_t ticks) {
    for (pst_flow_line& line : t.flows) {
        for (pst_flow& way : line.way) {
            if (way.tag == 0) { continue; }
            const std::uint64_t age = ((way.word >> 52) - ticks) & PST_TICK_MASK;
            way.word = (way.word & 0xfffffffffffffULL) | age << 52;
        }
    }
    for (pst_return& r : t.returns) {
        if (r.tag_age == 0) { continue; }
        const std::uint64_t age = ((r.tag_age >> 4) - ticks) & PST_TICK_MASK;
        r.tag_age = (r.tag_age & ~0xfff0ULL) | age << 4;
    }
}

void age_trials(Tables& t, std::uint64_t ms) {
    for (pst_trial& trial : t.trials) { trial.used -= trial.used == 0 ? 0 : ms; }
}

namespace {

Row row(const char* name, std::vector<Step> first, std::vector<Step> then) {
    first.insert(first.end(), then.begin(), then.end());
    return {name, std::move(first)};
}

Frame with_payload(Frame f, const std::string& payload) {
    f.payload = payload;
    return f;
}

Frame datagram(Frame f) {
    f.proto = 17;
    f.flags = 0;
    f.payload = "question";
    return f;
}

Step in_tc(Step step) {
    step.hook = PST_HOOK_TC;
    return step;
}

void closing_rows(std::vector<Row>& rows, bool v6) {
    const std::vector<Step> closed = {forward(PST_FORWARD, request(v6, 80, kFin | kAck)), back(PST_REPLY, reply(v6, kFin | kAck)),
                                      forward(PST_FORWARD, request(v6, 80, kAck))};
    std::vector<Step> again = handshake(v6);
    // One NAT port: the closed flow's way back must be old before another flow may have the port.
    again[0].before = [](Tables& t) { age_ticks(t, 20); };
    std::vector<Step> steps = handshake(v6);
    steps.insert(steps.end(), closed.begin(), closed.end());
    rows.push_back(row("tcp: after both FINs the same client port opens a new flow", steps, again));

    Frame forged = request(v6, 80, kRst);
    rows.push_back(row("tcp: a forged RST does not end a flow", handshake(v6),
                       {forward(PST_FORWARD, forged), forward(PST_FORWARD, request(v6, 80, kAck)),
                        back(PST_REPLY, reply(v6, kAck)), forward(PST_FORWARD, request(v6, 80, kAck))}));
    rows.push_back(row("tcp: a forged SYN does not end a flow", handshake(v6),
                       {forward(PST_FORWARD, request(v6, 80, kSyn)), forward(PST_FORWARD, request(v6, 80, kAck))}));
    // The backend still has the half of an earlier flow that lost this port to a newer trial: its SYN-ACK comes first, and the client refuses it.
    Frame stale = reply(v6, kSyn | kAck);
    stale.seq -= 5000;
    stale.ack -= 700;
    rows.push_back(row("tcp: a SYN-ACK to another SYN does not hide the one to this",
                       {forward(PST_FORWARD_NEW, request(v6, 80, kSyn)), back(PST_REPLY_TRIAL, stale), back(PST_REPLY_TRIAL, reply(v6, kSyn | kAck))},
                       {forward(PST_FORWARD_PROVEN, request(v6, 80, kAck))}));
    Frame again_syn = request(v6, 80, kSyn), again_ack = request(v6, 80, kAck);
    Frame again_syn_ack = reply(v6, kSyn | kAck);
    again_syn.seq += 9000;
    again_syn_ack.ack += 9000;
    again_syn_ack.seq += 300;
    again_ack.seq += 9000;
    again_ack.ack += 300;
    rows.push_back(row("tcp: a client that begins again is answered as it began last",
                       {forward(PST_FORWARD_NEW, request(v6, 80, kSyn)), back(PST_REPLY_TRIAL, reply(v6, kSyn | kAck))},
                       {forward(PST_FORWARD_TRIAL, again_syn), back(PST_REPLY_TRIAL, again_syn_ack), forward(PST_FORWARD_PROVEN, again_ack)}));
    rows.push_back(row("tcp: the backend's RST ends it, the next SYN opens another",
                       {forward(PST_FORWARD_NEW, request(v6, 80, kSyn)), back(PST_REPLY_TRIAL, reply(v6, kRst | kAck))},
                       {forward(PST_FORWARD_TRIAL, request(v6, 80, kSyn)), back(PST_REPLY_TRIAL, reply(v6, kSyn | kAck)),
                        forward(PST_FORWARD_PROVEN, request(v6, 80, kAck))}));
}

void tc_rows(std::vector<Row>& rows, bool v6) {
    std::vector<Step> neighbour = {in_tc(forward(PST_FORWARD_NEW, request(v6, 82, kSyn))),
                                   in_tc(back(PST_REPLY_TRIAL, reply(v6, kSyn | kAck), 82)),
                                   in_tc(forward(PST_FORWARD_PROVEN, request(v6, 82, kAck))),
                                   in_tc(forward(PST_FORWARD, request(v6, 82, kAck)))};
    rows.push_back(row("tcp: tc sends to a neighbour", neighbour, {}));
    rows.push_back(row("tcp: XDP leaves the established flow of a tc backend alone", neighbour,
                       {{.verdict = PST_PASS_TO_TC, .in = request(v6, 82, kAck)}}));
    rows.push_back(row("tcp: tc sends to a pod", {in_tc(forward(PST_FORWARD_NEW, request(v6, 84, kSyn)))}, {}));
    rows.push_back(row("tcp: tc serves what XDP could", {in_tc(forward(PST_FORWARD_NEW, request(v6, 80, kSyn)))},
                       {back(PST_REPLY_TRIAL, reply(v6, kSyn | kAck))}));
    Step slow{.verdict = PST_PASS_TO_TC, .in = reply(v6, kAck)};
    slow.before = [](Tables& t) { t.links[3].flags = 0; };
    rows.push_back(row("tcp: a client behind a device without XDP is left to tc", handshake(v6),
                       {slow, in_tc(back(PST_REPLY, reply(v6, kAck)))}));
}

}  // namespace

void tcp_rows(std::vector<Row>& rows, bool v6) {
    rows.push_back(row("tcp: a whole connection", handshake(v6),
                       {forward(PST_FORWARD, with_payload(request(v6, 80, kAck), "GET / HTTP/1.1\r\n\r\n")),
                        back(PST_REPLY, with_payload(reply(v6, kAck), "odd length"))}));
    Frame wrong = request(v6, 80, kAck);
    wrong.ack++;
    rows.push_back(row("tcp: an ACK of another number proves nothing",
                       {forward(PST_FORWARD_NEW, request(v6, 80, kSyn)), back(PST_REPLY_TRIAL, reply(v6, kSyn | kAck))},
                       {forward(PST_FORWARD_TRIAL, wrong), forward(PST_FORWARD_PROVEN, request(v6, 80, kAck))}));
    rows.push_back(row("tcp: an ACK before the backend has answered proves nothing", {forward(PST_FORWARD_NEW, request(v6, 80, kSyn))},
                       {forward(PST_FORWARD_TRIAL, request(v6, 80, kAck))}));
    rows.push_back(row("tcp: a repeated SYN keeps its NAT port", {forward(PST_FORWARD_NEW, request(v6, 80, kSyn))},
                       {forward(PST_FORWARD_TRIAL, request(v6, 80, kSyn))}));
    Step late{.verdict = PST_PASS_NO_RETURN, .in = reply(v6, kSyn | kAck)};
    late.before = [](Tables& t) { age_trials(t, 5001); };
    rows.push_back(row("tcp: after its time a trial is over", {forward(PST_FORWARD_NEW, request(v6, 80, kSyn))},
                       {late, forward(PST_FORWARD_NEW, request(v6, 80, kSyn))}));
    Step idle = forward(PST_FORWARD, request(v6, 80, kAck));
    idle.before = [](Tables& t) { age_ticks(t, 2000); };
    rows.push_back(row("tcp: idle alone does not end a flow", handshake(v6), {idle, back(PST_REPLY, reply(v6, kAck))}));
    closing_rows(rows, v6);
    tc_rows(rows, v6);
}

void udp_rows(std::vector<Row>& rows, bool v6) {
    const Frame question = datagram(request(v6, 53, 0));
    const Frame answer = datagram(reply(v6, 0));
    rows.push_back(row("udp: proven by a packet after a reply",
                       {forward(PST_FORWARD_NEW, question), forward(PST_FORWARD_TRIAL, question), back(PST_REPLY_TRIAL, answer, 53),
                        forward(PST_FORWARD_PROVEN, question), forward(PST_FORWARD, question), back(PST_REPLY, answer, 53)},
                       {}));
    Frame unchecked = question;
    unchecked.udp_check = false;
    rows.push_back(row("udp: no checksum stays no checksum", {forward(PST_FORWARD_NEW, unchecked)}, {}));
}

}  // namespace penstock::bpf_test
