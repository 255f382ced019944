# What calc does when there is no result.
failed=0

refuses()
{
    expected=$1
    shift
    actual=$(./calc "$@" 2>&1)
    status=$?
    if [ $status -ne 0 ] && [ $status -lt 128 ] && [ "$actual" = "$expected" ]; then
        echo "ok: calc $* is refused: $expected"
    else
        echo "not ok: calc $* ends with status $status and '$actual' instead of '$expected'"
        failed=1
    fi
}

refuses 'calc: there is no operator ^' 2 ^ 3
refuses 'calc: division by zero' 1 / 0
exit $failed
