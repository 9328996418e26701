// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/trace_context.hpp"

#include <string>

#include "tools/test/catch.hpp"

using namespace penstock;
using namespace penstock::proxy;

namespace {

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kSpan = "b7ad6b7169203331";

std::uint64_t one_two_three() {
    static std::uint64_t number = 0;
    return ++number;
}

}  // namespace

TEST_CASE("trace_context: a traceparent is read as the standard writes it, and nothing else is") {
    struct Row {
        std::string text;
        bool valid;
        bool sampled;
    };
    const std::string good = "00-" + kTrace + "-" + kSpan + "-";
    for (const Row& row : {Row{good + "01", true, true}, Row{good + "00", true, false}, Row{good + "fe", true, false}, Row{good + "03", true, true},
                           Row{"cc-" + kTrace + "-" + kSpan + "-01", true, true}, Row{"cc-" + kTrace + "-" + kSpan + "-01-what-comes", true, true},
                           Row{"cc-" + kTrace + "-" + kSpan + "-01.what", false, false}, Row{good + "01-more", false, false}, Row{good + "0", false, false},
                           Row{good + "0G", false, false}, Row{"ff-" + kTrace + "-" + kSpan + "-01", false, false}, Row{"0-" + kTrace + "-" + kSpan + "-001", false, false},
                           Row{"00-" + std::string(32, '0') + "-" + kSpan + "-01", false, false}, Row{"00-" + kTrace + "-" + std::string(16, '0') + "-01", false, false},
                           Row{"00-0AF7651916CD43DD8448EB211C80319C-" + kSpan + "-01", false, false}, Row{"00_" + kTrace + "-" + kSpan + "-01", false, false},
                           Row{"00-" + kTrace + "_" + kSpan + "-01", false, false}, Row{"", false, false}, Row{std::string(55, '-'), false, false}}) {
        INFO(row.text);
        const auto parent = parse_traceparent(row.text);
        REQUIRE(parent.has_value() == row.valid);
        if (parent) {
            CHECK(parent->trace_id == kTrace);
            CHECK(parent->parent_id == kSpan);
            CHECK(parent->sampled == row.sampled);
        }
    }
}

TEST_CASE("trace_context: our span goes on with the client's trace, and keeps its state and its decision") {
    http::Headers headers;
    const std::string text = "00-" + kTrace + "-" + kSpan + "-00";
    headers.add("Traceparent", text);
    headers.add("Tracestate", "a=1,b=2");
    Trace trace;
    trace.begin(traceparent_of(headers), one_two_three, [] { return true; });
    trace.put(headers);
    CHECK(trace.trace_id() == kTrace);
    CHECK(trace.parent_id() == kSpan);
    CHECK_FALSE(trace.sampled());
    CHECK(headers.find("traceparent") == "00-" + kTrace + "-" + std::string(trace.span_id()) + "-00");
    CHECK(parse_traceparent(*headers.find("traceparent")));
    CHECK(trace.span_id() != kSpan);
    CHECK(headers.find("tracestate") == "a=1,b=2");
}

TEST_CASE("trace_context: without a valid parent a trace begins, and a state that belongs to none goes") {
    for (const std::vector<const char*>& given : {std::vector<const char*>{}, {"nonsense"}, {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}) {
        http::Headers headers;
        for (const char* text : given) {
            headers.add("traceparent", text);
        }
        headers.add("tracestate", "a=1");
        Trace trace;
        trace.begin(traceparent_of(headers), [] { return std::uint64_t{0}; }, [] { return true; });
        trace.put(headers);
        CHECK(trace.parent_id().empty());
        CHECK(trace.sampled());
        CHECK(headers.count("traceparent") == 1);
        CHECK(parse_traceparent(*headers.find("traceparent")));  // although the dice gave nothing but 0
        CHECK_FALSE(headers.has("tracestate"));
    }
}
