// SPDX-License-Identifier: Apache-2.0
#include "ctl/apply/attach.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "ctl/apply/pins.hpp"

namespace penstock::apply {

namespace {

struct LinkFacts {
    std::uint32_t ifindex = 0;  // 0: its device is gone
    std::uint32_t program = 0;
};

Result<LinkFacts> facts_of(int link) {
    bpf_link_info info{};
    __u32 size = sizeof(info);
    if (bpf_obj_get_info_by_fd(link, &info, &size) != 0) {
        return sys_error("look at an XDP link");
    }
    return LinkFacts{.ifindex = info.type == BPF_LINK_TYPE_XDP ? info.xdp.ifindex : 0, .program = info.prog_id};
}

// Which way the program on the interface is attached; 0 if there is none.
std::uint8_t mode_of(std::uint32_t ifindex) {
    LIBBPF_OPTS(bpf_xdp_query_opts, query);
    return bpf_xdp_query(static_cast<int>(ifindex), 0, &query) == 0 ? query.attach_mode : std::uint8_t{XDP_ATTACHED_NONE};
}

Result<Fd> find_link(const Program& program, std::uint32_t ifindex, const std::string& pin) {
    PST_TRY_ASSIGN(Fd link, open_pin(pin));
    if (!link.valid()) {
        return Fd();
    }
    PST_TRY_ASSIGN(const LinkFacts facts, facts_of(link.get()));
    if (facts.ifindex != ifindex) {
        unlink(pin.c_str());  // its interface is gone, and another has its number
        return Fd();
    }
    if (facts.program != program.id && bpf_link_update(link.get(), program.fd.get(), nullptr) != 0) {
        return sys_error("replace the XDP program");
    }
    return link;
}

int create_link(const Program& program, std::uint32_t ifindex, std::uint32_t flags) {
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
    return bpf_link_create(program.fd.get(), static_cast<int>(ifindex), BPF_XDP, &options);
}

}  // namespace

Result<XdpAttachment> attach_xdp(const Program& program, std::uint32_t ifindex, const std::string& pin) {
    const LibbpfLog log;
    XdpAttachment out;
    PST_TRY_ASSIGN(out.link, find_link(program, ifindex, pin));
    if (!out.link.valid()) {
        int fd = create_link(program, ifindex, XDP_FLAGS_DRV_MODE);
        if (fd < 0 && errno != EBUSY && errno != EEXIST && errno != EPERM) {
            out.why_generic = std::string("the driver does not take the program: ") + std::strerror(errno);
            fd = create_link(program, ifindex, XDP_FLAGS_SKB_MODE);
        }
        if (fd < 0 && (errno == EBUSY || errno == EEXIST)) {
            return Error{.code = Errc::exists, .what = "attach XDP", .hint = "another XDP program is there: take it off, or name other interfaces", .sys_errno = errno};
        }
        if (fd < 0) {
            return sys_error("attach XDP", errno == EPERM ? "CAP_NET_ADMIN and CAP_BPF are needed" : log.last());
        }
        out.link.reset(fd);
        PST_TRY(pin_over(fd, pin));
    }
    out.native = mode_of(ifindex) == XDP_ATTACHED_DRV || mode_of(ifindex) == XDP_ATTACHED_MULTI;
    return out;
}

namespace {

bpf_tc_hook hook_of(std::uint32_t ifindex, bpf_tc_attach_point point) {
    bpf_tc_hook hook{};
    hook.sz = sizeof(hook);
    hook.ifindex = static_cast<int>(ifindex);
    hook.attach_point = point;
    return hook;
}

// The number of the program of our filter; 0 if there is none.
std::uint32_t filter_program(const bpf_tc_hook& hook) {
    LIBBPF_OPTS(bpf_tc_opts, query, .handle = kTcHandle, .priority = kTcPriority);
    return bpf_tc_query(&hook, &query) == 0 ? query.prog_id : 0;
}

}  // namespace

std::uint32_t tc_program(std::uint32_t ifindex) {
    const LibbpfLog log;
    return filter_program(hook_of(ifindex, BPF_TC_INGRESS));
}

Status attach_tc(const Program& program, std::uint32_t ifindex) {
    const LibbpfLog log;
    bpf_tc_hook hook = hook_of(ifindex, BPF_TC_INGRESS);
    const std::uint32_t there = filter_program(hook);
    if (there == program.id) {
        return success();
    }
    if (there == 0) {
        const int made = bpf_tc_hook_create(&hook);
        if (made != 0 && made != -EEXIST) {
            return sys_error_of(-made, "make the clsact hook", made == -EPERM ? "CAP_NET_ADMIN is needed" : log.last());
        }
    }
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program.fd.get(), .flags = BPF_TC_F_REPLACE, .handle = kTcHandle, .priority = kTcPriority);
    const int attached = bpf_tc_attach(&hook, &options);
    if (attached != 0) {
        return sys_error_of(-attached, "attach the tc program", log.last());
    }
    return success();
}

Status detach_tc(std::uint32_t ifindex) {
    const LibbpfLog log;
    const bpf_tc_hook hook = hook_of(ifindex, BPF_TC_INGRESS);
    if (filter_program(hook) == 0) {
        return success();
    }
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = kTcHandle, .priority = kTcPriority);
    const int detached = bpf_tc_detach(&hook, &options);
    if (detached != 0) {
        return sys_error_of(-detached, "take the tc program away", log.last());
    }
    return success();
}

}  // namespace penstock::apply
