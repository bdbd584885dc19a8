extension BuiltinProgram {
    /// System calls and the file systems below them.
    static let files = """
        N do_syscall_64: count syscall_count; dispatch sys_call_table
        T __x64_sys_read: mix 3; call ksys_read
        T __x64_sys_write: mix 2; tail ksys_write
        T __x64_sys_openat: flag; tail do_sys_open
        T __x64_sys_close: mix 2; call close_fd; flag
        T __x64_sys_newfstat: local; call vfs_fstat; call cp_new_stat
        T __x64_sys_lseek: mix 4; call ksys_lseek
        T __x64_sys_poll: local; minimum sysctl_poll_timeout; call do_sys_poll
        T __x64_sys_ioctl: call __fdget; early; call do_vfs_ioctl; call fput
        T ksys_read: local; call __fdget_pos; early; call vfs_read; count nr_sys_reads; call fput
        T ksys_write: call __fdget_pos; early; call vfs_write; count nr_sys_writes; call fput
        T ksys_lseek: call __fdget_pos; ops ext4_file_operations 2; call fput
        T vfs_read: call rw_verify_area; early; ops ext4_file_operations 0; unlikely fsnotify_active fsnotify; count nr_reads
        T vfs_write: call rw_verify_area; early; ops ext4_file_operations 1; unlikely fsnotify_active fsnotify; count nr_writes
        T rw_verify_area: mix 4; minimum max_rw_count; tail security_file_permission
        T do_sys_open: mix 2; call build_open_flags; tail do_sys_openat2
        t do_sys_openat2: local; call getname_flags; call get_unused_fd_flags; call do_filp_open; call fd_install
        T do_filp_open: local; call path_openat; early; call path_openat
        t path_openat: call alloc_empty_file; repeat 2 link_path_walk; call do_open
        t link_path_walk: call inode_permission; likely2 rcu_walk_enabled; call walk_component; static might_resched
        t walk_component: when lookup_fast lookup_slow; mix 3
        t lookup_fast: table dentry_hashtable 64; mix 5; early; table dentry_hashtable 64
        t lookup_slow: lock dcache_lock; mix 6; table dentry_hashtable 64; unlock dcache_lock
        T inode_permission: mix 3; flag; likely selinux_enabled security_inode_permission; local
        t do_open: call may_open; ops ext4_file_operations 3; mix 2
        t may_open: mix 4; flag; early; mix 3
        t build_open_flags: mix 6; flag; minimum max_open_flags; unlikely2 sched_schedstats
        T getname_flags: call kmem_cache_alloc; call strncpy_from_user; count nr_names
        T get_unused_fd_flags: lock files_lock; table fd_bitmap 16; mix 3; unlock files_lock
        T fd_install: mix 2; store fd_last_installed; table fd_bitmap 16
        T close_fd: lock files_lock; table fd_bitmap 16; unlock files_lock; flag
        T alloc_empty_file: minimum files_max; call kmem_cache_alloc; count nr_files
        T fput: load nr_files; mix 3; early; count nr_fputs; unlikely2 fsnotify_active
        T __fdget_pos: table fd_bitmap 16; early; mix 2; tail __fdget
        T __fdget: table fd_bitmap 16; mix 2; flag
        T vfs_fstat: call __fdget; early; call vfs_getattr_nosec; call fput
        T vfs_getattr_nosec: mix 3; ops ext4_file_operations 4
        T generic_fillattr: load inode_nr; mix 4; local; load inode_size
        t cp_new_stat: local; mix 5; local; tail copy_to_user_nofault
        t do_sys_poll: repeat 3 do_pollfd; static might_resched; early; call poll_schedule_timeout
        t do_pollfd: call __fdget; ops pipefifo_fops 2; mix 2
        t poll_schedule_timeout: mix 3; tail schedule_hrtimeout_range
        T pipe_poll: load pipe_head; mix 3; flag; minimum pipe_tail
        t do_vfs_ioctl: mix 3; when fiemap_prep tty_ioctl
        T fiemap_prep: mix 4; minimum inode_size; flag
        T ext4_file_read_iter: mix 2; early; call generic_file_read_iter
        T ext4_file_write_iter: call ext4_write_checks; early; call generic_perform_write; unlikely ext4_journal_debug ext4_mark_iloc_dirty
        T ext4_llseek: mix 3; minimum inode_size; store file_position
        T ext4_file_open: mix 2; call ext4_inode_csum; flag
        T ext4_file_getattr: mix 2; tail generic_fillattr
        t ext4_write_checks: mix 3; minimum inode_size; flag; mix 2
        t ext4_inode_csum: sum object_pool 24; mix 2
        T ext4_mark_iloc_dirty: count journal_dirtied; mix 4; local
        T generic_file_read_iter: local; call filemap_read
        T filemap_read: repeat 2 filemap_get_pages; call copy_page_to_iter; count pages_read
        t filemap_get_pages: table page_tree 64; mix 3; early; mix 6
        T copy_page_to_iter: sum page_pool 32; mix 2; store iov_offset
        T generic_perform_write: repeat 2 copy_page_from_iter_atomic; call balance_dirty_pages_ratelimited
        T copy_page_from_iter_atomic: sum page_pool 16; table page_tree 64
        T balance_dirty_pages_ratelimited: load dirty_pages; mix 4; unlikely memory_pressure wakeup_flusher_threads; early; mix 2
        T wakeup_flusher_threads: count flusher_wakeups; mix 3
        T pipe_read: lock pipe_lock; load pipe_tail; mix 4; store pipe_tail; unlock pipe_lock; flag
        T pipe_write: lock pipe_lock; load pipe_head; mix 4; store pipe_head; unlock pipe_lock; unlikely2 memory_pressure
        T fsnotify: local; mix 4; call fsnotify_handle_event; likely2 rcu_walk_enabled
        t fsnotify_handle_event: table object_pool 32; mix 5; early; mix 4
        W arch_file_readahead: mix 4; flag
        """

    /// Memory, strings and library code.
    static let memory = """
        T __x64_sys_mmap: mix 4; tail ksys_mmap_pgoff
        T __x64_sys_munmap: mix 2; call __vm_munmap
        T __x64_sys_brk: lock mmap_lock; call do_brk_flags; unlock mmap_lock; flag
        T ksys_mmap_pgoff: local; call vm_mmap_pgoff; flag
        T vm_mmap_pgoff: call security_mmap_file; early; lock mmap_lock; call do_mmap; unlock mmap_lock
        T do_mmap: call get_unmapped_area; early; call mmap_region; unlikely trace_mmap_enabled perf_event_mmap
        T get_unmapped_area: mix 5; minimum task_size; table object_pool 32; mix 3
        T mmap_region: call vm_area_alloc; call vma_link; call perf_event_mmap; local
        T vm_area_alloc: call kmem_cache_alloc; clear object_pool 16; mix 2
        t vma_link: table vma_tree 32; mix 3; store vma_last; count nr_vmas
        T perf_event_mmap: load nr_mmap_events; mix 2; early; count nr_mmap_events
        T __vm_munmap: lock mmap_lock; call do_munmap; unlock mmap_lock; static might_resched
        T do_munmap: call find_vma; early; call unmap_region; flag
        T find_vma: table vma_tree 32; minimum vma_last; table vma_tree 32; early; mix 3
        t unmap_region: repeat 2 zap_pte_range; call free_pgtables; static flush_tlb
        t zap_pte_range: table page_tree 64; mix 4; spin 4; unlikely2 memory_pressure
        t free_pgtables: mix 4; local; mix 2
        t do_brk_flags: call get_unmapped_area; call vma_link; mix 3
        T exc_page_fault_body: call find_vma; call handle_mm_fault; flag
        T handle_mm_fault: count pgfault; likely memcg_enabled mem_cgroup_charge; call handle_pte_fault
        t handle_pte_fault: when do_anonymous_page filemap_map_pages; mix 3
        t do_anonymous_page: call alloc_pages; call clear_huge_page_chunk; mix 2
        T filemap_map_pages: table page_tree 64; mix 3; table page_tree 64; early; count pages_mapped
        T alloc_pages: static numa_policy; call get_page_from_freelist; early; mix 4; unlikely memory_pressure wakeup_kswapd
        t get_page_from_freelist: lock zone_lock; table free_area 16; mix 4; unlock zone_lock
        T wakeup_kswapd: load kswapd_order; mix 3; store kswapd_order
        T clear_huge_page_chunk: clear page_pool 32; mix 2
        T free_pages: lock zone_lock; mix 3; table free_area 16; unlock zone_lock
        T mem_cgroup_charge: load memcg_usage; mix 4; minimum memcg_limit; store memcg_usage
        T kmalloc_trace: static kmalloc_hook; call kmem_cache_alloc; mix 2
        T kmem_cache_alloc: call slab_pre_alloc; table slab_freelist 32; mix 3; unlikely slub_debug_enabled alloc_debug_processing
        t slab_pre_alloc: mix 2; flag; likely2 memcg_enabled
        T alloc_debug_processing: sum object_pool 16; mix 3
        T kmem_cache_free: mix 3; table slab_freelist 32; unlikely2 slub_debug_enabled; store slab_last_freed
        T kfree: mix 2; early; tail kmem_cache_free
        T __kmalloc: mix 3; minimum kmalloc_max; call kmem_cache_alloc; local
        T kvfree: when kfree vfree
        T vfree: lock vmap_lock; mix 3; table vma_tree 32; unlock vmap_lock
        T strncpy_from_user: sum user_buffer 24; mix 2; flag
        T copy_to_user_nofault: sum user_buffer 16; local
        N memset_erms: clear object_pool 32
        T crc32_le: spin 3; sum object_pool 40; table crc32_table 256; table crc32_table 256
        T siphash_1u64: mix 14; mix 14
        T rb_insert_color: mix 5; early; mix 6; flag; mix 4
        T rb_erase: mix 6; flag; early; mix 5
        T rb_next: table vma_tree 32; mix 2; early; table vma_tree 32
        T radix_tree_lookup: table page_tree 64; mix 2; table page_tree 64; early; table page_tree 64
        T hex_to_bin: mix 3; flag; minimum hex_limit
        T bitmap_weight: sum fd_bitmap 16; mix 1
        T int_sqrt: spin 12; mix 3
        T gcd: spin 9; flag
        T sort_cmp_u64: mix 2; flag
        T vsnprintf: repeat 3 number; call string_nocheck; local
        t number: spin 5; mix 4; store print_width
        t string_nocheck: sum linux_banner 20; mix 2
        T seq_printf: local; call vsnprintf; count seq_lines
        T get_random_u32: mix 6; timestamp; mix 5; store random_state
        W arch_get_mmap_base: mix 5
        """
}
