"""What simulated stores sell: kinds of goods, each in several variants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Product:
    """A kind of goods.

    Attributes:
        category: Department.
        subcategory: Kind of item in its department.
        name: Name.
        price: List price of one unit.
        weight: Weight of one unit, g.
        life: Days from receipt to expiry; None: it keeps.
        lot: Units of a supplier's lot.
        demand: How much it is wanted, relative to others.
    """

    category: str
    subcategory: str
    name: str
    price: float
    weight: float
    life: int | None
    lot: int
    demand: float


VARIANTS = ("", "organic", "value", "large", "small", "family", "premium", "local")

PRODUCTS = (
    Product("dairy", "milk", "Milk", 1.19, 1030, 7, 12, 3.0),
    Product("dairy", "yoghurt", "Yoghurt", 0.69, 160, 14, 20, 2.0),
    Product("dairy", "butter", "Butter", 2.29, 255, 40, 20, 1.2),
    Product("dairy", "cheese", "Cheese", 3.49, 410, 30, 10, 1.4),
    Product("dairy", "cream", "Cream", 0.99, 210, 12, 12, 0.8),
    Product("bakery", "bread", "Bread", 2.79, 760, 3, 8, 2.4),
    Product("bakery", "rolls", "Rolls", 0.39, 60, 2, 30, 2.6),
    Product("bakery", "cake", "Cake", 4.99, 620, 6, 6, 0.5),
    Product("produce", "bananas", "Bananas", 1.59, 1000, 5, 18, 2.5),
    Product("produce", "apples", "Apples", 2.49, 1000, 14, 15, 1.6),
    Product("produce", "tomatoes", "Tomatoes", 2.19, 500, 6, 14, 1.8),
    Product("produce", "salad", "Salad", 1.29, 350, 4, 10, 1.3),
    Product("produce", "potatoes", "Potatoes", 2.99, 2500, 30, 10, 1.1),
    Product("meat", "chicken", "Chicken", 6.49, 600, 5, 8, 1.2),
    Product("meat", "beef", "Minced beef", 4.99, 500, 3, 8, 1.0),
    Product("meat", "ham", "Ham", 2.49, 150, 14, 16, 1.2),
    Product("fish", "salmon", "Salmon", 5.99, 250, 4, 6, 0.6),
    Product("chilled", "juice", "Orange juice", 2.69, 1040, 10, 12, 1.0),
    Product("chilled", "eggs", "Eggs", 2.99, 640, 21, 16, 1.9),
    Product("chilled", "pizza dough", "Pizza dough", 1.79, 400, 20, 10, 0.5),
    Product("frozen", "pizza", "Pizza", 3.29, 380, 300, 12, 0.9),
    Product("frozen", "vegetables", "Mixed vegetables", 1.99, 750, 400, 12, 0.7),
    Product("frozen", "ice cream", "Ice cream", 3.99, 900, 400, 8, 0.8),
    Product("grocery", "pasta", "Pasta", 1.09, 510, 700, 24, 1.5),
    Product("grocery", "rice", "Rice", 1.89, 1010, 700, 16, 0.8),
    Product("grocery", "flour", "Flour", 0.79, 1010, 365, 20, 0.6),
    Product("grocery", "sugar", "Sugar", 1.29, 1010, None, 20, 0.6),
    Product("grocery", "oil", "Olive oil", 6.99, 950, 540, 12, 0.5),
    Product("grocery", "tinned tomatoes", "Tinned tomatoes", 0.89, 410, 900, 24, 1.1),
    Product("grocery", "cereal", "Cereal", 2.99, 520, 300, 14, 0.8),
    Product("grocery", "chocolate", "Chocolate", 1.19, 105, 300, 30, 1.6),
    Product("grocery", "crisps", "Crisps", 1.79, 180, 120, 20, 1.4),
    Product("drinks", "water", "Mineral water", 0.49, 1530, 500, 36, 2.2),
    Product("drinks", "cola", "Cola", 1.29, 1540, 250, 24, 1.6),
    Product("drinks", "beer", "Beer", 0.99, 880, 180, 40, 1.5),
    Product("drinks", "coffee", "Coffee", 5.99, 505, 500, 14, 1.0),
    Product("household", "paper", "Kitchen paper", 2.49, 600, None, 16, 0.7),
    Product("household", "detergent", "Detergent", 5.49, 1400, None, 8, 0.4),
    Product("household", "soap", "Soap", 1.09, 310, 900, 18, 0.5),
    Product("household", "toothpaste", "Toothpaste", 1.49, 120, 700, 18, 0.5),
)
