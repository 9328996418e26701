// SPDX-License-Identifier: Apache-2.0
#include "userspace/tls/framer.hpp"

#include <utility>

#include "userspace/tls/record_cipher.hpp"

namespace penstock::tls {

namespace {

std::size_t size_of(const std::uint8_t* head) { return kRecordHead + (static_cast<std::size_t>(head[3]) << 8 | head[4]); }

Framer::Found fault_of(const std::uint8_t* head) {
    if (head[0] < change_cipher_spec || head[0] > application_data || head[1] != 3) {
        return Framer::Found::no_record;
    }
    return size_of(head) > kRecordHead + kPlaintextMax + kExpansionMax ? Framer::Found::too_long : Framer::Found::record;
}

}  // namespace

std::size_t Framer::missing() const {
    if (partial_.empty()) {
        return 0;
    }
    return (partial_.size() < kRecordHead ? kRecordHead : size_of(partial_.data())) - partial_.size();
}

Framer::Next Framer::next() {
    // The head of a record that came in pieces, then its body.
    while (!partial_.empty() && !input_.empty()) {
        const std::size_t wanted = partial_.size() < kRecordHead ? kRecordHead : size_of(partial_.data());
        const std::size_t count = std::min(wanted - partial_.size(), input_.size());
        partial_.reserve(wanted);
        append(partial_, input_.first(count));
        input_ = input_.subspan(count);
        if (partial_.size() < wanted) {
            return {};
        }
        if (const Found found = fault_of(partial_.data()); found != Found::record) {
            return {found};
        }
        if (partial_.size() == size_of(partial_.data())) {
            whole_.push_back(std::exchange(partial_, {}));
            return {Found::record, whole_.back()};
        }
    }
    if (input_.empty()) {
        return {};
    }
    std::size_t wanted = kRecordHead;
    if (input_.size() >= kRecordHead) {
        if (const Found found = fault_of(input_.data()); found != Found::record) {
            return {found};
        }
        wanted = size_of(input_.data());
        if (input_.size() >= wanted) {
            const auto record = input_.first(wanted);
            input_ = input_.subspan(wanted);
            return {Found::record, record};
        }
    }
    partial_.reserve(wanted);
    append(partial_, input_);
    input_ = {};
    return {};
}

}  // namespace penstock::tls
