// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "bpf/test/packet_table.hpp"

#include "bpf/test/packet_rows.hpp"

namespace penstock::bpf_test {

namespace {

Row pass_row(const char* name, pst_verdict verdict, Frame in) { return {name, {{.verdict = verdict, .in = std::move(in)}}}; }

void passes(std::vector<Row>& rows, bool v6) {
    Frame other = request(v6, 80, kSyn);
    other.dst.address = v6 ? "2001:db8:1::99" : "192.0.2.99";
    rows.push_back(pass_row("another host's packet passes", PST_PASS_NOT_OURS, other));
    rows.push_back(pass_row("a port without listener passes", PST_PASS_NOT_VIP, request(v6, 99, kSyn)));
    rows.push_back(pass_row("the worker's listener passes", PST_PASS_OURS, request(v6, 443, kSyn)));
    Frame echo = request(v6, 0, 0);
    echo.proto = v6 ? 58 : 1;
    echo.payload = std::string(v6 ? "\x80\0\0\0abcd" : "\x08\0\0\0abcd", 8);
    rows.push_back(pass_row("an echo request passes", PST_PASS_PROTOCOL, echo));
    Frame group = request(v6, 80, kSyn);
    group.dmac = "01:00:5e:00:00:01";
    rows.push_back(pass_row("a frame to a group passes", PST_PASS_NOT_OURS, group));
    rows.push_back(pass_row("a backend that needs tc is left to it by XDP", PST_PASS_TO_TC, request(v6, 82, kSyn)));
    rows.push_back(pass_row("a pod's backend is left to tc by XDP", PST_PASS_TO_TC, request(v6, 84, kSyn)));
    Frame fragment = request(v6, 80, kSyn);
    fragment.spoil = [v6](Bytes& b) { v6 ? b[20] = 44 : b[20] |= 0x20; };
    rows.push_back(pass_row("a fragment passes", PST_PASS_FRAGMENT, fragment));
    Frame options = request(v6, 80, kSyn);
    options.spoil = [v6](Bytes& b) { v6 ? b[20] = 60 : b[14] = 0x46; };
    rows.push_back(pass_row("options and extension headers pass", PST_PASS_OPTIONS, options));
    rows.push_back(pass_row("a stranger's packet to a NAT port passes", PST_PASS_NO_RETURN, reply(v6, kAck)));
}

void refusals(std::vector<Row>& rows, bool v6) {
    rows.push_back(pass_row("a service without backends drops", PST_DROP_NO_BACKEND, request(v6, 81, kSyn)));
    rows.push_back(pass_row("a backend without next hop drops", PST_DROP_NO_EXIT, request(v6, 83, kSyn)));
    rows.push_back(pass_row("a segment of no flow drops", PST_DROP_NO_FLOW, request(v6, 80, kAck)));
    rows.push_back(pass_row("SYN with FIN opens nothing", PST_DROP_NO_FLOW, request(v6, 80, kSyn | kFin)));
    Frame dying = request(v6, 80, kSyn);
    dying.ttl = 1;
    rows.push_back(pass_row("a used up hop limit drops", PST_DROP_TTL, dying));
    Frame lying = request(v6, 80, kSyn);
    lying.spoil = [v6](Bytes& b) { b[v6 ? 66 : 46] = 0x40; };
    rows.push_back(pass_row("a TCP header shorter than itself drops", PST_DROP_MALFORMED, lying));
    Frame tiny = request(v6, 53, 0);
    tiny.proto = 17;
    tiny.spoil = [v6](Bytes& b) { b[v6 ? 59 : 39] = 7; };
    rows.push_back(pass_row("a UDP length below its header drops", PST_DROP_MALFORMED, tiny));
    Frame cut = request(v6, 80, kSyn);
    cut.spoil = [](Bytes& b) { b.resize(b.size() - 1); };
    rows.push_back(pass_row("a frame that ends in its TCP header drops", PST_DROP_TRUNCATED, cut));
}

void general(std::vector<Row>& rows) {
    Row unready = pass_row("without configuration everything passes", PST_PASS_NOT_READY, request(false, 80, kSyn));
    unready.steps[0].before = [](Tables& t) {
        t.config->abi_version = 0;
        t.config_changed();
    };
    rows.push_back(unready);
    Frame arp = request(false, 80, kSyn);
    arp.spoil = [](Bytes& b) { b[13] = 0x06; };
    rows.push_back(pass_row("ARP passes", PST_PASS_NOT_IP, arp));
    Frame version = request(false, 80, kSyn);
    version.spoil = [](Bytes& b) { b[14] = 0x65; };
    rows.push_back(pass_row("a wrong version under IPv4's type drops", PST_DROP_MALFORMED, version));
}

}  // namespace

std::vector<Row> packet_table() {
    std::vector<Row> rows;
    general(rows);
    for (const bool v6 : {false, true}) {
        const std::size_t first = rows.size();
        passes(rows, v6);
        refusals(rows, v6);
        tcp_rows(rows, v6);
        udp_rows(rows, v6);
        table_rows(rows, v6);
        icmp_rows(rows, v6);
        for (std::size_t i = first; i < rows.size(); i++) { rows[i].name += v6 ? " (IPv6)" : " (IPv4)"; }
    }
    return rows;
}

}  // namespace penstock::bpf_test
