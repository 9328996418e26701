// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Rows about the tables: what happens when they are full, change under a flow, or lose an entry.
#include "bpf/core/pst_service.h"
#include "bpf/test/packet_rows.hpp"

namespace penstock::bpf_test {

namespace {

std::uint32_t backend_of_80(bool v6) { return v6 ? 8 : 1; }

Row row(const char* name, std::vector<Step> first, const std::vector<Step>& then) {
    first.insert(first.end(), then.begin(), then.end());
    return {name, std::move(first)};
}

// Gives every free way of the flow table to a live flow.
void crowd(Tables& t) {
    const std::uint64_t life = PST_FLOW_TCP | (t.now() >> PST_TICK_SHIFT & PST_TICK_MASK) << 4;
    std::uint64_t tag = 100;
    for (pst_flow_line& line : t.flows) {
        for (pst_flow& way : line.way) {
            if (way.tag == 0) { way = {.tag = tag++, .word = 1 | life << 48}; }
        }
    }
}

void empty_flows(Tables& t) {
    for (pst_flow_line& line : t.flows) { line = {}; }
}

void backend_rows(std::vector<Row>& rows, bool v6) {
    const std::uint32_t id = backend_of_80(v6);
    Step kept = forward(PST_FORWARD, request(v6, 80, kAck));
    kept.before = [id](Tables& t) { t.backends[id].flags = PST_BACKEND_READY | PST_BACKEND_NO_NEW; };
    rows.push_back(row("a draining backend keeps its flows", handshake(v6), {kept, back(PST_REPLY, reply(v6, kAck))}));

    Step refused{.verdict = PST_DROP_NO_BACKEND, .in = request(v6, 80, kSyn)};
    refused.before = kept.before;
    rows.push_back(row("a draining backend gets no new flows", {refused}, {}));

    Step other = forward(PST_FORWARD_NEW, request(v6, 80, kSyn));
    other.before = [id](Tables& t) {
        t.backends[40] = t.backends[id];
        t.backends[id].flags = PST_BACKEND_READY | PST_BACKEND_NO_NEW;
        t.backends[id].addr[15] = 99;
        for (std::uint32_t slot = 0; slot < 3; slot++) { t.slots[id].backend[slot] = 40; }
    };
    rows.push_back(row("a slot whose backend is down takes the next", {other}, {}));

    Step gone{.verdict = PST_DROP_BACKEND_GONE, .in = request(v6, 80, kAck)};
    gone.before = [id](Tables& t) { t.backends[id].flags = 0; };
    rows.push_back(row("a flow whose backend is gone drops", handshake(v6), {gone}));

    Step reborn{.verdict = PST_DROP_NO_FLOW, .in = request(v6, 80, kAck)};
    reborn.before = [id](Tables& t) { t.backends[id].generation++; };
    rows.push_back(row("a reused backend id voids its old flows", handshake(v6), {reborn}));

    Step swapped = forward(PST_FORWARD, request(v6, 80, kAck));
    swapped.before = [id](Tables& t) {
        t.backends[41] = t.backends[id];
        t.backends[41].addr[15] = 77;
        for (std::uint32_t slot = 0; slot < 5; slot++) { t.slots[50].backend[slot] = 41; }
        t.services[id] = pst_service_word(50 * PST_SLOTS_PER_LINE, 5, 2);
    };
    rows.push_back(row("a flow keeps its backend when the table is swapped", handshake(v6), {swapped, back(PST_REPLY, reply(v6, kAck))}));
}

void room_rows(std::vector<Row>& rows, bool v6) {
    Step crowded = forward(PST_FORWARD_CROWDED, request(v6, 80, kAck));
    crowded.before = crowd;
    Step room = forward(PST_FORWARD_PROVEN, request(v6, 80, kAck));
    room.before = empty_flows;
    Step beyond = forward(PST_FORWARD_CROWDED, request(v6, 80, kAck));
    beyond.in.ack += 500;
    beyond.out->ack += 500;
    std::vector<Step> begin = handshake(v6);
    begin.pop_back();
    rows.push_back(row("a full flow table keeps a proven flow on trial", begin,
                       {crowded, back(PST_REPLY_TRIAL, reply(v6, kAck)), beyond, room, back(PST_REPLY, reply(v6, kAck))}));

    Step old = forward(PST_FORWARD_PROVEN, request(v6, 80, kAck));
    old.before = [](Tables& t) {
        crowd(t);
        age_ticks(t, 900);
    };
    rows.push_back(row("a flow idle for longer than its time makes room", begin, {old}));

    Frame second = request(v6, 80, kSyn);
    second.src.port = 40001;
    rows.push_back(row("with every NAT port in use a new flow drops", handshake(v6), {{.verdict = PST_DROP_NO_PORT, .in = second}}));

    Step limited{.verdict = PST_DROP_SOURCE_LIMIT, .in = second};
    Step one = forward(PST_FORWARD_NEW, request(v6, 80, kSyn));
    one.before = [](Tables& t) {
        t.config->trials_per_source = 1;
        t.config_changed();
    };
    rows.push_back(row("a source with too many trials drops", {one}, {limited}));
}

void broken_rows(std::vector<Row>& rows, bool v6) {
    Step unlinked{.verdict = PST_DROP_NO_LINK, .in = reply(v6, kAck)};
    unlinked.before = [](Tables& t) { t.links[3] = {}; };
    rows.push_back(row("a link that is gone drops", handshake(v6), {unlinked}));

    Step lost{.verdict = PST_DROP_NO_FLOW, .in = request(v6, 80, kAck)};
    lost.before = [](Tables& t) {
        for (pst_return& r : t.returns) { r = {}; }
        age_ticks(t, 1);
    };
    rows.push_back(row("a flow that has lost its way back is over", handshake(v6), {lost}));

    Step race = back(PST_DROP_RACE, reply(v6, kAck));
    race.out.reset();
    race.while_rewriting = [](Tables& t) {
        for (pst_return& r : t.returns) { r.tag_age = 0; }
    };
    Row racing = row("an entry given away during the rewriting drops", handshake(v6), {race});
    racing.host_only = true;
    rows.push_back(racing);
}

}  // namespace

void table_rows(std::vector<Row>& rows, bool v6) {
    backend_rows(rows, v6);
    room_rows(rows, v6);
    broken_rows(rows, v6);
}

namespace {

// "Too big" from a router about the packet `about`, sent to who sent that.
Frame too_big(const Frame& about, const std::string& router) {
    const bool v6 = router.find(':') != std::string::npos;
    Frame quoted = about;
    quoted.udp_check = false;
    const Bytes bytes = build(quoted);
    Frame f;
    f.src = {router, 0};
    f.dst = {about.src.address, 0};
    f.proto = v6 ? 58 : 1;
    f.payload = v6 ? std::string("\x02\0\0\0\0\0\x05\x14", 8) : std::string("\x03\x04\0\0\0\0\x05\x14", 8);
    f.payload.append(bytes.begin() + 14, bytes.begin() + (v6 ? 14 + 40 + 8 : 14 + 20 + 8));
    return f;
}

// As the other end of the flow is to see it: `about` is the quoted packet as that end knows it.
Step passed_on(pst_verdict verdict, const Frame& in, const Frame& about, const std::string& from, bool to_client) {
    Frame out = too_big(about, from);
    out.src.address = from;
    out.ttl--;
    out.dmac = to_client ? "02:00:00:00:00:c1" : "02:00:00:00:00:b1";
    out.smac = to_client ? "02:00:00:00:00:01" : "02:00:00:00:00:02";
    Step step{.verdict = verdict, .in = in};
    step.out = out;
    step.out_ifindex = to_client ? kUplink : kFabric;
    return step;
}

}  // namespace

void icmp_rows(std::vector<Row>& rows, bool v6) {
    const std::string router = v6 ? "2001:db8:99::1" : "203.0.113.1";
    // Quoted as the router saw it: our reply to the client, our request to the backend.
    const Frame reply_sent = returned(reply(v6, kAck), 80);
    const Frame request_sent = forwarded(request(v6, 80, kAck));
    Frame reply_quoted = reply(v6, kAck);
    Frame request_quoted = request(v6, 80, kAck);
    reply_quoted.ttl--, request_quoted.ttl--;
    const std::string nat = v6 ? "fd00::1" : "10.0.0.1";
    const std::string vip = v6 ? "2001:db8:1::10" : "192.0.2.10";
    rows.push_back(row("icmp: too big about a reply goes to the backend", handshake(v6),
                       {passed_on(PST_ICMP_TO_BACKEND, too_big(reply_sent, router), reply_quoted, nat, false)}));
    rows.push_back(row("icmp: too big about a request goes to the client", handshake(v6),
                       {passed_on(PST_ICMP_TO_CLIENT, too_big(request_sent, router), request_quoted, vip, true)}));
    rows.push_back(row("icmp: an error about no flow passes", {{.verdict = PST_PASS_PROTOCOL, .in = too_big(reply_sent, router)}}, {}));
}

}  // namespace penstock::bpf_test
