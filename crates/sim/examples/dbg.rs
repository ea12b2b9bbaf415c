use piecework_sim::*;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let r = by_name(&a[1]).unwrap().run(a[2].parse().unwrap());
    println!("ended {:?} violations {:?}", r.ended_at, r.violations);
    println!("uploaded {:?}", r.uploaded);
    println!("finished {:?}", r.finished);
    let n = r.verified.iter().map(|v| v.len()).max().unwrap();
    let mut first: Vec<u64> = (0..n)
        .map(|p| {
            r.verified.iter().skip(1).filter_map(|v| v.get(p)).map(|t| t.as_micros()).min().unwrap()
        })
        .collect();
    first.sort();
    println!("first copies: {:?}", first.iter().map(|t| t / 100000).collect::<Vec<_>>());
    for v in &r.verified {
        println!("{}", v.iter().filter(|t| t.as_micros() != u64::MAX).count());
    }
}
