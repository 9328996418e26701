// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "ctl/gwctl/answer.hpp"
#include "ctl/gwctl/text_table.hpp"
#include "ctl/gwctl/trace_tables.hpp"

namespace penstock::gwctl {

namespace {

using nlohmann::json;

constexpr std::size_t kEndpointsShown = 8;

std::string answer_text(const json& answer) {
    const std::string status = text_at(answer, {"status"});
    const std::string reason = text_at(answer, {"reason"});
    return (status.empty() || status == "0" ? "" : status + " ") + (reason.empty() ? "" : reason + ": ") + text_at(answer, {"text"});
}

std::string endpoints_text(const json& endpoints) {
    std::string out;
    for (std::size_t i = 0; i < std::min(endpoints.size(), kEndpointsShown); ++i) {
        out += (i == 0 ? "" : ", ") + printable(endpoints[i].get<std::string>());
    }
    return endpoints.size() > kEndpointsShown ? out + fmt::format(" and {} more", endpoints.size() - kEndpointsShown) : out;
}

std::string candidates_text(const json& candidates) {
    TextTable table({"", "HOST", "MATCH", "RULE", "HOLDS"});
    for (const json& one : candidates) {
        const std::string host = text_at(one, {"host"});
        const std::string fails = text_at(one, {"fails"});
        table.add({flag_at(one, {"serves"}, false) ? "->" : "", host.empty() ? "(any)" : host, text_at(one, {"match"}), text_at(one, {"rule"}), fails.empty() ? "yes" : "no: " + fails});
    }
    return table.empty() ? "" : table.text();
}

std::string backends_text(const json& backends) {
    TextTable table({"BACKEND", "SHARE", "PROTOCOL", "ENDPOINTS", "FILTERS"});
    for (const json& one : backends) {
        const json& answer = at(one, {"answer"});
        const std::string service = text_at(one, {"service"});
        table.add({service.empty() ? "-" : service, fmt::format("{:.3g}%", at(one, {"share"}).is_number() ? one["share"].get<double>() * 100 : 0), text_at(one, {"protocol"}),
                   answer.empty() ? endpoints_text(list_at(one, {"endpoints"})) : answer_text(answer), text_at(one, {"filters"})});
    }
    return table.empty() ? "" : table.text();
}

std::string line(const char* name, const std::string& text) { return text.empty() ? "" : fmt::format("{:<11} {}\n", name, text); }

std::string port_text(const json& port) {
    const std::string listener = text_at(port, {"listener"});
    const std::string hostname = text_at(port, {"hostname"});
    std::string out = line("address", text_at(port, {"socket"}));
    out += line("listener", listener.empty() || hostname.empty() ? listener : listener + " (" + hostname + ")");
    out += candidates_text(list_at(port, {"candidates"}));
    out += line("decided by", text_at(port, {"decided_by"}));
    if (const std::string route = text_at(port, {"rule", "route"}); !route.empty()) {
        const std::string name = text_at(port, {"rule", "name"});
        out += line("rule", route + "#" + text_at(port, {"rule", "index"}) + (name.empty() ? "" : " (" + name + ")"));
    }
    out += line("filters", text_at(port, {"filters"}));
    out += backends_text(list_at(port, {"backends"}));
    return out + line("answer", answer_text(at(port, {"answer"})));
}

bool port_served(const json& port) {
    const json& answer = at(port, {"answer"});
    if (!answer.empty()) {
        return at(port, {"rule"}).size() != 0 && !answer.contains("reason");  // a redirect, a preflight
    }
    const json& backends = list_at(port, {"backends"});
    return std::any_of(backends.begin(), backends.end(), [](const json& one) { return !one.contains("answer"); });
}

}  // namespace

std::string trace_text(const json& traced) {
    const json& request = at(traced, {"request"});
    const std::string query = text_at(request, {"query"});
    std::string out = fmt::format("{} {}://{}:{}{}{}\n", text_at(request, {"method"}), text_at(request, {"scheme"}), text_at(request, {"host"}), text_at(request, {"port"}),
                                  text_at(request, {"path"}), query.empty() ? "" : "?" + query);
    for (const json& port : list_at(traced, {"ports"})) {
        out += "\n" + port_text(port);
    }
    return out + (list_at(traced, {"ports"}).empty() ? "\nanswer      none: nothing listens for HTTP on that port\n" : "");
}

bool is_served(const json& traced) {
    const json& ports = list_at(traced, {"ports"});
    return !ports.empty() && std::all_of(ports.begin(), ports.end(), port_served);
}

}  // namespace penstock::gwctl
