// SPDX-License-Identifier: Apache-2.0
// The request that trace asks about, as its words say it: [METHOD] URL [NAME: VALUE]...
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "userspace/base/result.hpp"
#include "userspace/match/conditions.hpp"

namespace penstock::gwctl {

// Header fields by lower-case names; equal names are joined, as the worker joins them.
class TraceFields final : public match::Fields {
public:
    void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
    std::optional<std::string_view> value(std::string_view name, std::string& room) const override;

private:
    std::vector<std::pair<std::string, std::string>> fields_;
};

struct TraceRequest {
    std::string method = "GET";
    bool tls = false;
    std::string host;  // as a name: lower case, without a port
    std::uint16_t port = 0;
    std::string path;  // normalised
    std::string query;
    TraceFields fields;

    [[nodiscard]] match::Request matched() const { return {method, path, query, fields}; }
};

// Fails with what is wrong with which word; a path that the worker refuses is such a fault.
Result<TraceRequest> parse_trace_request(const std::vector<std::string>& words);

}  // namespace penstock::gwctl
