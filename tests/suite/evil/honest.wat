;; A complete plugin by hand, and an honest one: buffer `count` gets a 1 for each frame. What stands between `;;{name` and `;;}`
;; is a part that `wat.rs` replaces or adds to.
;;
;; Where things are in memory, laid out as the canonical ABI wants it:
;;
;;    1024  manifest, 52 bytes: processes at 1072, capabilities at 1073
;;    1152  an answer that is all zeros, 64 bytes: ok, and the preferences of whoever has none; their form at 1164
;;    1216  what `create` answers, 20 bytes: the handle at 1220
;;    1248  what `buffers` answers, 20 bytes: where its list is at 1252, its length at 1256
;;    1280  the buffer, 48 bytes: its kind at 1288, dtype at 1289, usage at 1300, merge at 1301
;;    1344  an error, 20 bytes: its message at 1348
;;    1376  an error of `preferences`, which has its payload at 8: its message at 1384
;;    1408  the parameter, 112 bytes, and its only type at 1520
;;    2048  texts
;;    4096  ones, and room for anything
;;   65536  what the host is given
(module $evil
  (import "lthost:udf/host@0.1.0" "log" (func $log (param $level i32) (param $text i32) (param $len i32)))
  (import "lthost:udf/host@0.1.0" "emit" (func $emit (param $buffer i32) (param $offset i64) (param $data i32) (param $len i32)))
  (import "lthost:udf/host@0.1.0" "emit-mask" (func $emit_mask (param $buffer i32) (param $mask i32) (param $len i32)))
  (import "[export]lthost:udf/udf@0.1.0" "[resource-new]udf" (func $new (param $rep i32) (result i32)))
  (import "[export]lthost:udf/udf@0.1.0" "[resource-drop]udf" (func $drop (param $handle i32)))
  ;;{imports
  ;;}
  ;;{memory
  (memory (export "memory") 16)
  ;;}
  ;; The first free byte.
  (global $top (mut i32) (i32.const 65536))
  ;; 1 on the main thread.
  (global $role (mut i32) (i32.const 0))
  ;; Frames of the ROI, and of the partition.
  (global $rows (mut i32) (i32.const 0))
  (global $part_rows (mut i32) (i32.const 0))
  ;; Number of the partition.
  (global $index (mut i32) (i32.const -1))
  ;; For attacks that wait for something.
  (global $armed (mut i32) (i32.const 0))

  ;; How to attack.
  (func $spin (loop $again (br $again)))
  (func $fall (call $fall))
  (func $give_up (unreachable))
  (func $fill
    (loop $again
      (memory.fill (i32.const 0) (i32.const 0) (i32.shl (memory.size) (i32.const 16)))
      (br $again)))
  (func $grow
    (loop $again
      (drop (memory.grow (i32.const 16)))
      (br $again)))
  ;; Says a text so many times.
  (func $say (param $level i32) (param $text i32) (param $len i32) (param $times i32)
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $times)))
        (call $log (local.get $level) (local.get $text) (local.get $len))
        (local.set $times (i32.sub (local.get $times) (i32.const 1)))
        (br $again))))
  ;; Emits so many ones for buffer 0.
  (func $ones (param $n i32)
    (memory.fill (i32.const 4096) (i32.const 1) (local.get $n))
    (call $emit (i32.const 0) (i64.const 0) (i32.const 4096) (local.get $n)))

  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
    (local $at i32)
    ;;{realloc
    (local.set $at (global.get $top))
    (global.set $top
      (i32.and (i32.add (i32.add (local.get $at) (local.get $len)) (i32.const 7)) (i32.const -8)))
    (if (i32.gt_u (global.get $top) (i32.shl (memory.size) (i32.const 16)))
      (then (drop (memory.grow (i32.add (i32.shr_u (local.get $len) (i32.const 16)) (i32.const 1))))))
    (local.get $at)
    ;;}
  )

  (func $describe (export "lthost:udf/udf@0.1.0#describe") (result i32)
    ;;{describe
    (i32.const 1024)
    ;;}
  )
  ;; The arguments are at 0 of what it gets, the data set at 8.
  (func $create (export "lthost:udf/udf@0.1.0#[static]udf.create") (param $args i32) (result i32)
    ;;{create
    (global.set $role (i32.load8_u offset=8 (local.get $args)))
    (global.set $rows (i32.wrap_i64 (i64.load offset=40 (local.get $args))))
    (i32.store (i32.const 1220) (call $new (i32.const 7)))
    (i32.const 1216)
    ;;}
  )
  (func $preferences (export "lthost:udf/udf@0.1.0#[method]udf.preferences") (param $self i32) (result i32)
    ;;{preferences
    (i32.const 1152)
    ;;}
  )
  (func $buffers (export "lthost:udf/udf@0.1.0#[method]udf.buffers") (param $self i32) (param $input i32) (result i32)
    ;;{buffers
    (i32.const 1248)
    ;;}
  )
  (func $preprocess (export "lthost:udf/udf@0.1.0#[method]udf.preprocess") (param $self i32) (result i32)
    ;;{preprocess
    (i32.const 1152)
    ;;}
  )
  (func $window (export "lthost:udf/udf@0.1.0#[method]udf.window")
    (param $self i32) (param $at i32) (param $len i32) (result i32)
    ;;{window
    (i32.const 1152)
    ;;}
  )
  (func $begin (export "lthost:udf/udf@0.1.0#[method]udf.begin")
    (param $self i32) (param $number i64) (param $frame_start i64) (param $frame_stop i64) (param $roi_start i64)
    (param $roi_stop i64) (param $depth i64) (param $blocks i32) (param $n_blocks i32) (result i32)
    ;;{begin
    (global.set $index (i32.wrap_i64 (local.get $number)))
    (global.set $part_rows (i32.wrap_i64 (i64.sub (local.get $roi_stop) (local.get $roi_start))))
    (i32.const 1152)
    ;;}
  )
  ;; The UDF is at 0 of what it gets, the tile at 8.
  (func $process (export "lthost:udf/udf@0.1.0#[method]udf.process") (param $tile i32) (result i32)
    ;;{process
    (i32.const 1152)
    ;;}
  )
  (func $end (export "lthost:udf/udf@0.1.0#[method]udf.end") (param $self i32) (result i32)
    ;;{end
    (call $ones (global.get $part_rows))
    (i32.const 1152)
    ;;}
  )
  (func $merge (export "lthost:udf/udf@0.1.0#[method]udf.merge")
    (param $self i32) (param $number i64) (param $frame_start i64) (param $frame_stop i64) (param $roi_start i64)
    (param $roi_stop i64) (param $dest i32) (param $n_dest i32) (param $src i32) (param $n_src i32) (param $valid i32)
    (param $n_valid i32) (result i32)
    ;;{merge
    (call $ones (i32.wrap_i64 (i64.sub (local.get $roi_stop) (local.get $roi_start))))
    (i32.const 1152)
    ;;}
  )
  (func $merge_all (export "lthost:udf/udf@0.1.0#[method]udf.merge-all")
    (param $self i32) (param $partials i32) (param $n_partials i32) (result i32)
    ;;{merge-all
    (call $ones (global.get $rows))
    (i32.const 1152)
    ;;}
  )
  (func $results (export "lthost:udf/udf@0.1.0#[method]udf.results")
    (param $self i32) (param $merged i32) (param $n_merged i32) (param $valid i32) (param $n_valid i32) (result i32)
    ;;{results
    (i32.const 1152)
    ;;}
  )
  (func $update (export "lthost:udf/udf@0.1.0#[method]udf.update")
    (param $self i32) (param $arguments i32) (param $n_arguments i32) (result i32)
    ;;{update
    (i32.const 1152)
    ;;}
  )

  ;; The manifest: name, version and summary; a parameter; it processes tiles.
  (data (i32.const 1024) "\00\08\00\00\04\00\00\00" "\10\08\00\00\05\00\00\00" "\40\08\00\00\10\00\00\00")
  (data (i32.const 1064) "\80\05\00\00\01\00\00\00" "\01\00")
  (data (i32.const 1252) "\00\05\00\00\01\00\00\00")
  ;; The buffer `count`: nav, u8, a result, assigned.
  (data (i32.const 1280) "\04\08\00\00\05\00\00\00" "\00\01")
  (data (i32.const 1344) "\01\00\00\00" "\60\08\00\00\0b\00\00\00")
  (data (i32.const 1376) "\01\00\00\00\00\00\00\00" "\60\08\00\00\0b\00\00\00")
  ;; The parameter `level`: an integer, 0 by default.
  (data (i32.const 1408) "\20\08\00\00\05\00\00\00" "\f0\05\00\00\01\00\00\00")
  (data (i32.const 1432) "\02")
  (data (i32.const 1520) "\01")
  (data (i32.const 2048) "evil" "count")
  (data (i32.const 2064) "0.0.0")
  (data (i32.const 2080) "level")
  (data (i32.const 2112) "nothing but ones")
  (data (i32.const 2144) "not with me")
  ;;{more
  ;;}
)
