// SPDX-License-Identifier: Apache-2.0
#include "userspace/base/result.hpp"

#include <cerrno>
#include <cstring>

namespace penstock {

namespace {
std::string errno_name(int sys_errno) {
    const char* name = strerrorname_np(sys_errno);
    return name != nullptr ? name : std::to_string(sys_errno);
}
}  // namespace

std::string Error::message() const {
    std::string text;
    for (auto layer = context.rbegin(); layer != context.rend(); ++layer) {
        text += *layer + ": ";
    }
    return text + what;
}

std::string Error::sentence() const { return sys_errno != 0 ? message() + ": " + strerrordesc_np(sys_errno) : message(); }

std::string Error::report() const {
    std::string text = "error: " + message();
    if (sys_errno != 0) {
        text += "\ncaused by: " + std::string(strerrordesc_np(sys_errno)) + " (" + errno_name(sys_errno) + ")";
    }
    if (!hint.empty()) {
        text += "\nhint: " + hint;
    }
    return text;
}

Error sys_error(std::string what, std::string hint) { return sys_error_of(errno, std::move(what), std::move(hint)); }

Error sys_error_of(int sys_errno, std::string what, std::string hint) {
    const bool denied = sys_errno == EPERM || sys_errno == EACCES;
    return Error{.code = denied ? Errc::denied : Errc::kernel,
                 .what = std::move(what),
                 .hint = std::move(hint),
                 .sys_errno = sys_errno,
                 .context = {}};
}

}  // namespace penstock
