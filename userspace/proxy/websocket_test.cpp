// SPDX-License-Identifier: Apache-2.0
#include "userspace/proxy/websocket.hpp"

#include "tools/test/catch.hpp"

using namespace penstock::proxy;

TEST_CASE("websocket: the answer to a key is that of RFC 6455, and keys are 16 bytes each of its own") {
    CHECK(websocket_accept_of("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    const std::string key = make_websocket_key();
    CHECK(key.size() == 24);
    CHECK(key.ends_with("=="));
    CHECK(key != make_websocket_key());
}
