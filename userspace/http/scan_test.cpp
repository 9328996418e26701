// SPDX-License-Identifier: Apache-2.0
#include "userspace/http/scan.hpp"

#include <string>
#include <vector>

#include "tools/test/catch.hpp"
#include "userspace/http/parser.hpp"

using namespace penstock::http;

TEST_CASE("scan: every byte is found or passed over at every place of a text of every size") {
    for (std::size_t size = 1; size <= 70; ++size) {
        for (std::size_t place = 0; place < size; ++place) {
            bool as_said = true;
            for (int c = 0; c < 256; ++c) {
                std::vector<char> text(size, 'a');  // its own memory: a sanitizer sees a read beyond it
                text[place] = static_cast<char>(c);
                const std::string_view view(text.data(), text.size());
                as_said &= scan::any<scan::Controls>(view) == ((c < 32 && c != '\t') || c == 127);
                as_said &= scan::any<scan::NotTarget>(view) == (c <= 32 || c >= 127 || c == '#' || c == '\\');
                as_said &= scan::any<scan::Breaks>(view) == (c == '\r' || c == '\n' || c == 0);
            }
            CHECK(as_said);
        }
    }
    CHECK_FALSE(scan::any<scan::Controls>({}));
}

TEST_CASE("scan: names that hide a framing field behind underscores are known, others are not") {
    for (const char* name : {"Content_Length", "content_length", "TRANSFER_ENCODING"}) {
        CHECK(frames_in_disguise(name));
    }
    for (const char* name : {"Content-Length", "Content_Lengths", "Content_Type_X", "Transfer-Encoding", "Transfer_Encodin_", "_"}) {
        CHECK_FALSE(frames_in_disguise(name));
    }
}
