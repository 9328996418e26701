// SPDX-License-Identifier: Apache-2.0
// Fields on their way out, in the form that nghttp2 takes. Internal to h2_*.cpp.
#pragma once

#include <nghttp2/nghttp2.h>

#include <string_view>
#include <vector>

#include "userspace/http/headers.hpp"

namespace penstock::http {

// Views into the caller's text; nghttp2 copies them, names in lower case. One thread makes one list at a time.
class H2Fields {
public:
    H2Fields();
    // A pseudo-header field.
    void pseudo(std::string_view name, std::string_view value);
    // White space around the value is left out. CR, LF or NUL in it is a programmer's mistake and stops the process.
    void add(std::string_view name, std::string_view value);
    // Those that HTTP/2 may carry: not Host, which is :authority, nor what belongs to a connection of HTTP/1.
    void add(const Headers& headers);

    [[nodiscard]] const nghttp2_nv* get() const { return fields_.data(); }
    [[nodiscard]] std::size_t size() const { return fields_.size(); }

private:
    std::vector<nghttp2_nv>& fields_;
};

}  // namespace penstock::http
