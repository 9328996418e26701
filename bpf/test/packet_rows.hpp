// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The groups of rows of the packet table, and the frames that they share.
#pragma once

#include "bpf/test/packet_table.hpp"

namespace penstock::bpf_test {

inline constexpr std::uint32_t kClientIsn = 1000;
inline constexpr std::uint32_t kBackendIsn = 0xfffffff0;

// From the client, 198.51.100.7:40000, to a listener.
Frame request(bool v6, std::uint16_t port, std::uint8_t flags);
// From the backend to our NAT port.
Frame reply(bool v6, std::uint8_t flags);
// What these are to become.
Frame forwarded(const Frame& request);
Frame returned(const Frame& reply, std::uint16_t vip_port);

Step forward(pst_verdict verdict, const Frame& in);
Step back(pst_verdict verdict, const Frame& in, std::uint16_t vip_port = 80);

// SYN, SYN-ACK, ACK.
std::vector<Step> handshake(bool v6);

// Everything in the tables is so much older.
void age_ticks(Tables& t, std::uint32_t ticks);
void age_trials(Tables& t, std::uint64_t ms);

void tcp_rows(std::vector<Row>& rows, bool v6);
void udp_rows(std::vector<Row>& rows, bool v6);
void table_rows(std::vector<Row>& rows, bool v6);
void icmp_rows(std::vector<Row>& rows, bool v6);

}  // namespace penstock::bpf_test
