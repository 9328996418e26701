// SPDX-License-Identifier: Apache-2.0
// As std::optional, but the value lies apart, and copies share it: for fields that are large and mostly absent, of structs that there are
// thousands of. The value is written where it is made, and by nobody after that.
#pragma once

#include <memory>

namespace penstock::model {

template <class T>
class Boxed {
public:
    [[nodiscard]] bool has_value() const { return value_ != nullptr; }
    explicit operator bool() const { return has_value(); }
    // Of one that has a value.
    const T& operator*() const { return *value_; }
    const T* operator->() const { return value_.get(); }

    T& emplace() {
        value_ = std::make_shared<T>();
        return *value_;
    }

private:
    std::shared_ptr<T> value_;
};

}  // namespace penstock::model
