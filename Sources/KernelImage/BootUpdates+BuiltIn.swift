extension BootUpdates {
    /// What is used unless a caller brings its own: Config/boot/linux-6.1.boot, word for word (a test compares them),
    /// so that a program without installed files loads a kernel in the same way.
    public static let builtInText = #"""
        # What the init code of Linux 6.1 switches while it boots, as far as it changes text.
        #
        # Static call keys and static branch keys start with the values that the image has in .data. Running code then changes
        # some of them; an image that is only loaded needs to be told which. Every line was recorded from Debian's
        # 6.1.0-56-cloud-amd64 (6.1.192-2) or 6.1.0-50-686 (6.1.176-1), booted in QEMU 7.2 with -cpu max -smp 2 under TCG: with
        # these lines the text of the loaded image differs from the recorded one only where alternatives, paravirt calls and
        # retpolines were patched.
        #
        #   release PREFIX                     the lines below are for kernels whose release starts so
        #   static-call NAME FUNCTION|none     static_call_update(NAME, FUNCTION), none being NULL
        #   static-key SYMBOL on|off           static_branch_enable(&SYMBOL), static_branch_disable(&SYMBOL)
        #
        # SYMBOL may be followed by ",N", the Nth symbol of that name in kallsyms' order, and by "+0xOFFSET". A line whose
        # symbol the kernel doesn't have is left out and counted in the boot report.

        # Debian's releases of 6.1 are all named so.
        release 6.1.0-

        # preempt_dynamic_init() with Debian's CONFIG_PREEMPT_VOLUNTARY: sched_dynamic_update(preempt_dynamic_voluntary).
        static-call cond_resched __cond_resched
        static-call might_resched __cond_resched
        static-call preempt_schedule none
        static-call preempt_schedule_notrace none
        static-call irqentry_exit_cond_resched none

        # Every boot.
        static-key sched_clock_running on
        static-key __use_tsc on
        static-key apic_use_ipi_shorthand on
        static-key timers_nohz_active on
        static-key timers_migration_enabled on
        static-key deferred_pages off
        static-key crng_is_ready on
        static-key crypto_boot_test_finished on

        # What the recorded processor has: SMEP and SMAP, SSSE3, PCLMULQDQ.
        static-key cr_pinning on
        static-key blake2s_use_ssse3 on
        static-key crct10dif_fallback off
        static-key crc64_rocksoft_fallback off

        release 6.1.0-56-cloud-amd64

        # Netfilter hooks that built-in code registers, and callers of get_random_once() that ran: both named as this build has
        # them.
        static-key nf_hooks_needed+0xe0 on
        static-key nf_hooks_needed+0x360 on
        static-key ___once_key.2,1 off
        static-key ___once_key.4,1 off

        release 6.1.0-50-686

        # Recorded in the same way. This build's kallsyms hold no data symbols (CONFIG_KALLSYMS_ALL is off), so that keys are
        # named by their place.
        static-key _text+0xbbf43c on
        static-key _text+0xd06740 off
        static-key _text+0xe7ba80 on
        static-key _text+0xe83f30 on
        static-key _text+0xe8bb3c on
        static-key _text+0xeb2fb0 on
        static-key _text+0xebd358 on
        static-key _text+0xecaecc on
        static-key _text+0xedc110 on
        static-key _text+0xee0c10 on
        static-key _text+0xee0d50 on

        """#
}
