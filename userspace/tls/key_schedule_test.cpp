// SPDX-License-Identifier: Apache-2.0
// Against the vectors of RFC 8448 3. (TLS 1.2 and the updates are held against OpenSSL in session_test.cpp and records_test.cpp.)
#include "userspace/tls/key_schedule.hpp"

#include <string>

#include "tools/test/catch.hpp"

using namespace penstock::tls;

namespace {

std::vector<std::uint8_t> bytes_of(const std::string& digits) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
        bytes.push_back(static_cast<std::uint8_t>(std::stoi(digits.substr(i, 2), nullptr, 16)));
    }
    return bytes;
}

template <class Range>
std::vector<std::uint8_t> vector_of(const Range& range) {
    return {range.begin(), range.end()};
}

}  // namespace

TEST_CASE("key schedule: TLS 1.3 keys of RFC 8448") {
    const Suite suite{Cipher::aes128_gcm, false};
    const RecordKey server = record_key(suite, Secret(bytes_of("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")));
    CHECK(vector_of(server.key.bytes()) == bytes_of("9f02283b6c9c07efc26bb9f2ac92e356"));
    CHECK(vector_of(server.iv) == bytes_of("cf782b88dd83549aadf1e984"));
    const RecordKey client = record_key(suite, Secret(bytes_of("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")));
    CHECK(vector_of(client.key.bytes()) == bytes_of("17422dda596ed5d9acd890e3c63f5051"));
    CHECK(vector_of(client.iv) == bytes_of("5b78923dee08579033e523d9"));
}

TEST_CASE("key schedule: secrets keep their size over updates") {
    for (const bool sha384 : {false, true}) {
        const Suite suite{Cipher::aes256_gcm, sha384};
        const Secret first(std::vector<std::uint8_t>(sha384 ? 48 : 32, 7));
        const Secret second = next_secret(suite, first);
        CHECK(second.bytes().size() == first.bytes().size());
        CHECK(vector_of(second.bytes()) != vector_of(first.bytes()));
        CHECK(record_key(suite, second).key.bytes().size() == 32);
    }
}
