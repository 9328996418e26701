// SPDX-License-Identifier: Apache-2.0
#include "ctl/gwctl/trace_request.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "ctl/model/formats.hpp"
#include "userspace/base/ascii.hpp"
#include "userspace/match/host_index.hpp"
#include "userspace/match/path.hpp"

namespace penstock::gwctl {

namespace {

constexpr const char* kExample = "gwctl trace POST https://shop.example/cart?page=1 'X-Version: two'";

Error wrong(std::string what) { return Error{.code = Errc::invalid, .what = std::move(what), .hint = kExample}; }

std::string_view trimmed(std::string_view text) {
    const std::size_t begin = text.find_first_not_of(" \t");
    return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// "shop.example:8443", "[::1]:80"
Status take_authority(std::string_view authority, TraceRequest& out) {
    const std::size_t colon = authority.find(':', authority.starts_with('[') ? std::min(authority.find(']'), authority.size()) : 0);
    out.host = match::normal_host(authority);
    out.port = out.tls ? 443 : 80;
    if (colon != std::string_view::npos) {
        const std::string_view port = authority.substr(colon + 1);
        const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (error != std::errc() || end != port.data() + port.size() || out.port == 0) {
            return wrong("\"" + std::string(port) + "\" is no port");
        }
    }
    return out.host.empty() ? Status(wrong("the URL has no host")) : success();
}

Status take_url(std::string_view url, TraceRequest& out) {
    out.tls = url.starts_with("https://");
    if (!out.tls && !url.starts_with("http://")) {
        return wrong("\"" + std::string(url) + "\" is no URL that begins with http:// or https://");
    }
    url.remove_prefix(out.tls ? 8 : 7);
    url = url.substr(0, url.find('#'));
    const std::size_t end = std::min(url.find_first_of("/?"), url.size());
    PST_TRY(take_authority(url.substr(0, end), out));
    const std::string_view target = url.substr(end);
    const std::size_t question = target.find('?');
    const std::string path = target.starts_with('/') ? std::string(target.substr(0, question)) : "/";
    out.query = question == std::string_view::npos ? "" : target.substr(question + 1);
    std::string room;
    const auto normal = match::normal_path(path, room);
    if (!normal) {
        return wrong("the path " + path + " climbs above its root: the worker answers 400");
    }
    out.path = *normal;
    return success();
}

}  // namespace

std::optional<std::string_view> TraceFields::value(std::string_view name, std::string& room) const {
    std::optional<std::string_view> all;
    for (const auto& [key, text] : fields_) {
        if (key == name) {
            std::string joined = all ? std::string(*all) + ", " + text : text;
            room = std::move(joined);
            all = room;
        }
    }
    return all;
}

Result<TraceRequest> parse_trace_request(const std::vector<std::string>& words) {
    TraceRequest request;
    std::size_t next = 0;
    if (!words.empty() && words[0].find("://") == std::string::npos) {
        if (!model::is_token(words[0])) {
            return wrong("\"" + words[0] + "\" is no method");
        }
        request.method = words[next++];
    }
    if (next == words.size()) {
        return wrong("there is no URL");
    }
    PST_TRY(take_url(words[next++], request));
    for (; next < words.size(); ++next) {
        const std::size_t colon = words[next].find(':');
        const std::string name = lower(words[next].substr(0, colon));
        if (colon == std::string::npos || !model::is_token(name)) {
            return wrong("\"" + words[next] + "\" is no header field like 'Name: value'");
        }
        request.fields.add(name, std::string(trimmed(std::string_view(words[next]).substr(colon + 1))));
    }
    return request;
}

}  // namespace penstock::gwctl
