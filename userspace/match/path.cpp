// SPDX-License-Identifier: Apache-2.0
#include "userspace/match/path.hpp"

#include <vector>

namespace penstock::match {

namespace {

bool is_encoded(std::string_view text, char high, char low) {
    return text.size() >= 3 && text[0] == '%' && text[1] == high && (text[2] | 0x20) == low;
}

// Number of dots that an element consists of, 0 if it is anything else: ".", "..", "%2e", ".%2E", ...
int dots_of(std::string_view element) {
    int dots = 0;
    while (!element.empty()) {
        if (element.front() == '.') {
            element.remove_prefix(1);
        } else if (is_encoded(element, '2', 'e')) {
            element.remove_prefix(3);
        } else {
            return 0;
        }
        ++dots;
    }
    return dots;
}

// Whether some server may read a step upwards in it: "..;x", "a%2f..", "..%5cb".
bool climbs_covertly(std::string_view element) {
    std::size_t begin = 0;
    for (std::size_t at = 0; at <= element.size(); ++at) {
        const std::string_view rest = element.substr(at);
        const bool separator = is_encoded(rest, '2', 'f') || is_encoded(rest, '5', 'c');
        if (!rest.empty() && !separator) {
            continue;
        }
        const std::string_view piece = element.substr(begin, at - begin);
        if (dots_of(piece.substr(0, piece.find(';'))) == 2) {
            return true;
        }
        begin = at + 3;
    }
    return false;
}

// Whether a look at the elements can be spared: no dot begins an element or follows another one, and nothing encoded may be one.
bool is_plain(std::string_view path) {
    for (std::size_t at = path.find('.'); at != std::string_view::npos; at = path.find('.', at + 1)) {
        if (path[at - 1] == '/' || path[at - 1] == '.') {
            return false;
        }
    }
    for (std::size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
        if (is_encoded(path.substr(at), '2', 'e')) {
            return false;
        }
    }
    return true;
}

template <class Each>
void for_each_element(std::string_view path, Each each) {
    for (;;) {
        path.remove_prefix(1);
        const std::size_t slash = path.find('/');
        each(path.substr(0, slash), slash == std::string_view::npos);
        if (slash == std::string_view::npos) {
            return;
        }
        path.remove_prefix(slash);
    }
}

}  // namespace

std::optional<std::string_view> normal_path(std::string_view path, std::string& room) {
    if (!path.starts_with('/') || is_plain(path)) {
        return path;
    }
    std::vector<std::string_view> kept;
    bool changed = false, refused = false;
    for_each_element(path, [&](std::string_view element, bool last) {
        const int dots = dots_of(element);
        if (dots != 1 && dots != 2) {
            refused |= climbs_covertly(element);
            kept.push_back(element);
            return;
        }
        changed = true;
        if (dots == 2) {
            refused |= kept.empty();
            if (!kept.empty()) {
                kept.pop_back();
            }
        }
        if (last) {
            kept.emplace_back();  // "/a/.." is "/"
        }
    });
    if (refused) {
        return std::nullopt;
    }
    if (!changed) {
        return path;
    }
    room.clear();
    for (const std::string_view element : kept) {
        room += '/';
        room += element;
    }
    return room;
}

}  // namespace penstock::match
