extension BuiltinProgram {
    /// Network, block, terminal, security and tracing code.
    static let devices = """
        T __x64_sys_sendto: local; tail __sys_sendto
        T __x64_sys_recvfrom: mix 2; call __sys_recvfrom
        T __sys_sendto: call __fdget; early; call sock_sendmsg; call fput
        T __sys_recvfrom: call __fdget; early; call sock_recvmsg; call fput
        T sock_sendmsg: likely selinux_enabled security_socket_sendmsg; ops tcp_prot 0
        T sock_recvmsg: ops tcp_prot 1; mix 1
        T tcp_sendmsg: lock socket_lock; call tcp_sendmsg_locked; unlock socket_lock
        t tcp_sendmsg_locked: call __alloc_skb; sum user_buffer 16; call tcp_write_xmit
        T tcp_write_xmit: mix 4; minimum tcp_cwnd; call dev_queue_xmit
        T tcp_recvmsg: lock socket_lock; load tcp_backlog; mix 3; unlock socket_lock; call __kfree_skb
        T dev_queue_xmit: table qdisc_table 16; mix 2; unlikely xps_needed get_xps_queue; count tx_packets
        T get_xps_queue: percpu cpu_number; mix 4
        T __alloc_skb: call kmem_cache_alloc; clear object_pool 16; count skb_allocated
        T __kfree_skb: mix 2; tail kmem_cache_free
        t process_backlog: load rx_backlog; mix 2; call __netif_receive_skb; flag
        t __netif_receive_skb: unlikely generic_xdp_needed do_xdp_generic; call ip_rcv
        T do_xdp_generic: static bpf_dispatcher_xdp; mix 3
        T ip_rcv: sum packet_buffer 20; mix 4; tail ip_local_deliver
        T ip_local_deliver: unlikely2 netfilter_needed; mix 2; count ip_in_delivers; ops tcp_prot 2
        T tcp_v4_rcv: mix 6; table socket_table 64; early; mix 4; count tcp_in_segments
        T csum_partial: sum packet_buffer 40; mix 2
        T jhash_words: mix 16; mix 12
        T submit_bio: count bio_submitted; call blk_mq_submit_bio; flag
        t blk_mq_submit_bio: call blk_mq_get_tag; unlikely2 blk_stats_needed; ops virtio_mq_ops 0; call bio_endio
        T blk_mq_get_tag: table tag_bitmap 16; mix 3; early; mix 2
        T virtio_queue_rq: lock virtqueue_lock; mix 4; store vring_last; unlock virtqueue_lock
        T bio_endio: mix 2; early; count bio_completed
        T blkdev_read_iter: mix 3; call submit_bio; flag
        T tty_ioctl: mix 3; flag; minimum tty_columns
        T tty_write: sum tty_buffer 24; mix 2; statictail console_write
        T tty_insert_flip: table tty_buffer 16; mix 2; store tty_last
        T early_console_write: sum tty_buffer 8; count console_lines
        T security_file_permission: static lsm_file_permission; mix 2; likely2 selinux_enabled
        T security_inode_permission: mix 2; static lsm_inode_permission
        T security_mmap_file: mix 2; likely selinux_enabled selinux_mmap_file
        T security_socket_sendmsg: mix 3; statictail lsm_socket_sendmsg
        T selinux_file_permission: mix 3; call avc_has_perm; flag
        T selinux_inode_permission: mix 2; tail avc_has_perm
        T selinux_mmap_file: mix 4; flag
        T avc_has_perm: table avc_cache 64; mix 3; early; count avc_misses
        T cmdline_proc_show: sum linux_banner 32; mix 2; count seq_lines
        T meminfo_proc_show: load pgfault; mix 2; repeat 2 seq_printf
        T show_interrupts: repeat 2 seq_printf; load apic_timer_irqs; mix 2
        T proc_reg_read: mix 2; dispatch proc_shows
        T version_proc_show: sum linux_banner 48; mix 1
        T kobject_get: load kobject_references; mix 2; count kobject_references
        T kobject_put: mix 2; load kobject_references; early; mix 2
        T ring_buffer_lock_reserve: percpu cpu_number; mix 3; count ring_entries
        T ring_buffer_unlock_commit: mix 3; store ring_last; flag
        N function_trace_call: mix 4; count trace_entries
        N arch_ftrace_ops_list_func: mix 3; load ftrace_ops_list; flag
        N ftrace_ops_assist_func: mix 3; flag
        N __static_call_return0:
        W arch_setup_msi: mix 4; mix 3
        """

    static let all = BuiltinProgram(parsing: [files, memory, tasks, interrupts, devices].joined(separator: "\n"))
}
