// SPDX-License-Identifier: Apache-2.0
// Whatever the objects, every pure stage keeps what it promises, and what a neighbour serves stays.
#include <cstdio>
#include <cstdlib>

#include "ctl/gwctl/test_junk.hpp"
#include "ctl/gwctl/test_pipeline.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace penstock::gwctl::testing;
    static const Junk junk(PST_CASES, {"beside", "192.0.2.77"});
    static Pipeline pipeline;
    Bytes bytes({data, size});
    const std::uint8_t how = bytes.byte();
    Faults faults;
    if (how % 16 == 1) {
        faults = pipeline.faults_of(bytes.rest(), how >= 128);
    } else {
        const std::uint8_t number = bytes.byte();
        faults = pipeline.faults_of(junk.documents(number, bytes), how >= 128);
    }
    for (const std::string& fault : faults) {
        std::fprintf(stderr, "%s\n", fault.c_str());
    }
    if (!faults.empty()) {
        std::abort();
    }
    return 0;
}
