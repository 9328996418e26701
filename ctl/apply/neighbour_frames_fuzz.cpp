// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>

#include "ctl/apply/neighbour_frames.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)penstock::apply::arp_claim({data, size});
    (void)penstock::apply::advertisement_claim({data, size}, 255);
    return 0;
}
