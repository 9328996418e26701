// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Any bytes as frames, one after another, through the core on tables with flows in them: never a read beyond the frame (ASan), never a
// frame sent that ends inside its headers.
#include <cstdlib>

#include "bpf/test/host_tables.hpp"
#include "bpf/test/packet_rows.hpp"

using namespace penstock::bpf_test;

namespace {

HostTables& host() {
    static HostTables tables;
    return tables;
}

void begin() {
    build_world(host().tables());
    for (const bool v6 : {false, true}) {
        for (const Step& step : handshake(v6)) { host().run(step.hook, kUplink, build(step.in)); }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    begin();
    while (size > 2) {
        const std::size_t length = std::min<std::size_t>(data[0], size - 2);
        const pst_hook hook = (data[1] & 1) != 0 ? PST_HOOK_TC : PST_HOOK_XDP;
        Bytes frame(data + 2, data + 2 + length);
        // Half of the frames begin as a true one, so that the fuzzer is past the address filter at once.
        if ((data[1] & 2) != 0) {
            Bytes whole = build(request((data[1] & 4) != 0, (data[1] & 8) != 0 ? 80 : 53, kAck));
            for (std::size_t i = 0; i < frame.size() && i < whole.size(); i++) { whole[i] ^= frame[i]; }
            frame = whole;
        }
        const Outcome got = host().run(hook, kUplink, frame);
        if (got.verdict < 0 || got.verdict >= PST_VERDICT_COUNT || (is_sent(got.verdict) && frame.size() < 42)) { std::abort(); }
        data += 2 + length;
        size -= 2 + length;
    }
    return 0;
}
