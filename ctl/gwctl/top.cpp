// SPDX-License-Identifier: Apache-2.0
// top: what happens now. On a terminal it goes on until it is interrupted; elsewhere, and as JSON or YAML, it tells one interval.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/client.hpp"
#include "ctl/gwctl/command.hpp"
#include "ctl/gwctl/top_table.hpp"

namespace penstock::gwctl {

namespace {

constexpr std::size_t kRowsMax = 20;

}  // namespace

Result<int> run_top(const Arguments& arguments) {
    const Client client(arguments.daemon_folder());
    const bool again = arguments.output.empty() && ::isatty(STDOUT_FILENO) == 1;
    PST_TRY_ASSIGN(nlohmann::json before, client.read("/v1/counters"));
    for (;;) {
        std::this_thread::sleep_for(std::chrono::seconds(arguments.interval_s));
        PST_TRY_ASSIGN(nlohmann::json after, client.read("/v1/counters"));
        const nlohmann::json rates = rates_of(before, after);
        if (!arguments.output.empty()) {
            print_document(rates, arguments.output);
        } else {
            std::printf("%s%s", again ? "\033[H\033[2J" : "", rates_text(rates, kRowsMax).c_str());
            std::fflush(stdout);
        }
        if (!again) {
            return kYes;
        }
        before = std::move(after);
    }
}

}  // namespace penstock::gwctl
